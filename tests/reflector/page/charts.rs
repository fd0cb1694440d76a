//! Charts and tiles: what they let a reader see, and say to who cannot see them.

use super::{Scene, on_page};
use crate::harness::{Client, route, routes};

on_page!(
    a_steady_rate_is_readable_beside_a_burst,
    charts_are_read_by_keyboard_and_in_words,
    a_chart_is_a_table_as_well,
    tiles_agree_with_the_tables_below_them,
);

/// Draws five minutes of a rate of 100 a second, in which there are five seconds of 10,000, and of another of 2. Returns the
/// share of the height at which each is drawn: what is steady, the burst, the other.
const DRAW: &str = r#"(async () => {
    const { plot } = await import("/page/plot.js");
    const { scaleOf } = await import("/page/scale.js");
    const samples = [...Array(300).keys()].map((n) => ({ at_seconds: 1e9 + n, rate: n >= 150 && n < 155 ? 10000 : 100 }));
    const one = plot({ title: "Test", kind: "rate", isLog: true, lines: [
        { name: "steady", color: "s0", of: (sample) => sample.rate },
        { name: "low", color: "s1", of: () => 2 }] });
    document.getElementById("content").replaceChildren(one.node);
    one.show(samples);
    const grid = [...one.node.querySelectorAll(".grid")].map((line) => Number(line.getAttribute("y1")));
    const [low, high] = [Math.max(...grid), Math.min(...grid)];
    const heights = (line) => [...line.getAttribute("d").matchAll(/[ML][\d.]+ ([\d.]+)/g)].map(([, y]) => (low - y) / (low - high));
    const [first, second] = [...one.node.querySelectorAll(".line")].map(heights);
    return [first[0], Math.max(...first), second[0], one.node.querySelector(".legend").innerText];
})()"#;

fn a_steady_rate_is_readable_beside_a_burst(scene: &mut Scene) {
    scene.show("/");
    scene.browser.until("the page", "document.querySelector('.plot')");
    let drawn = scene.browser.eval(DRAW);
    let height = |index: usize| drawn[index].as_f64().unwrap();
    let (steady, burst, low) = (height(0), height(1), height(2));
    assert!((0.3..0.7).contains(&steady), "{steady}");
    assert!((0.9..=1.0).contains(&burst), "{burst}");
    assert!((0.05..steady).contains(&low), "{low}");
    let legend = drawn[3].as_str().unwrap();
    assert!(legend.contains("peak 10,000 /s") && legend.contains("log scale"), "{legend}");
    // Both rates of the overview are drawn so.
    scene.show("/");
    let rates = "[...document.querySelectorAll('.plot')].filter((plot) =>
        plot.innerText.includes('log scale')).map((plot) => plot.querySelector('h2').innerText).join()";
    scene.browser.until("scales", &format!("{rates} === 'Updates,Propagation,Bytes'"));
}

const LABEL: &str = "document.querySelector('.drawing')?.getAttribute('aria-label')";

fn charts_are_read_by_keyboard_and_in_words(scene: &mut Scene) {
    let mut client = Client::establish(scene.peers);
    scene.show("/");
    scene.browser.until("words", &format!("/received .* now, highest/.test({LABEL})"));
    // They follow what is drawn.
    let before = scene.browser.eval(LABEL);
    client.announce_all(&routes(7, 0..500, 1));
    scene.browser.until("other words", &format!("{LABEL} !== {before}"));
    assert_eq!(scene.browser.eval("document.querySelector('.drawing').role"), "img");
    // From the search box on, the keyboard comes to the chart.
    let at_chart = "document.activeElement.classList.contains('drawing')";
    scene.browser.eval("document.querySelector('#find input').focus()");
    for _ in 0..20 {
        if scene.browser.eval(at_chart) == true {
            break;
        }
        scene.browser.press("Tab");
    }
    assert_eq!(scene.browser.eval(at_chart), true);
    let said = "document.querySelector('.plot [role=status]').innerText";
    let tip = "document.querySelector('.plot .tip:not([hidden])')?.innerText ?? ''";
    scene.browser.press("End");
    let last = scene.browser.eval(said).as_str().unwrap().to_owned();
    assert!(last.contains("received") && last.contains("sent"), "{last}");
    assert!(scene.browser.eval(tip).as_str().unwrap().contains("received"));
    scene.browser.press("Home");
    let first = scene.browser.eval(said).as_str().unwrap().to_owned();
    assert_ne!(first, last);
    scene.browser.press("ArrowRight");
    assert_ne!(scene.browser.eval(said), first.as_str());
    scene.browser.press("Escape");
    assert_eq!(scene.browser.eval(tip), "");
}

fn a_chart_is_a_table_as_well(scene: &mut Scene) {
    scene.show("/");
    scene.browser.until("samples", &format!("/now, highest/.test({LABEL})"));
    scene.browser.click(".plot summary");
    scene.browser.until("rows", "document.querySelectorAll('.plot details tbody tr').length > 0");
    let heads = "[...document.querySelectorAll('.plot details th')].map((one) => one.innerText)";
    let heads = scene.browser.eval(&format!("{heads}.slice(0, 3).join()"));
    assert_eq!(heads, "Minute,received,sent");
}

/// Fails while a tile says something else than the table of the largest VNIs, which holds them all. Otherwise, how many
/// VNIs both say.
const AGREED: &str = "(() => {
    const tile = (name) => [...document.querySelectorAll('.card')].find((card) =>
        card.querySelector('.name').innerText === name).querySelector('.value').innerText;
    const rows = [...document.querySelectorAll('section:last-child tbody tr')].map((row) =>
        [...row.cells].map((cell) => Number(cell.innerText)));
    const said = [tile('VNIs'), tile('Routes')].join();
    const shown = [rows.length, rows.reduce((sum, [, routes]) => sum + routes, 0)].join();
    if (said !== '–,–' && said !== shown) throw new Error(`${said} above ${shown}`);
    return rows.length;
})()";

fn tiles_agree_with_the_tables_below_them(scene: &mut Scene) {
    let mut client = Client::establish(scene.peers);
    client.announce(&route(1, 1, 1));
    scene.show("/");
    for vni in 1..=3 {
        client.announce_all(&routes(vni, 0..10 * vni, 1));
        scene.browser.until("a VNI more", &format!("{AGREED} === {vni}"));
    }
}
