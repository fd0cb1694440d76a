//! Tables that are sorted, paged and filtered.

use super::{Scene, on_page};
use crate::harness::{Client, routes};

on_page!(
    a_click_on_a_header_sorts,
    ten_thousand_routes_are_paged,
    filters_narrow_a_listing,
    the_back_button_goes_back,
    headers_work_by_keyboard,
);

/// The first cells of all rows.
const FIRST: &str = "[...document.querySelectorAll('.listing tbody tr')]
    .map((row) => row.cells[0].innerText).join()";

fn first_cells(scene: &mut Scene, expected: &str) {
    scene.browser.until(expected, &format!("{FIRST} === '{expected}'"));
}

/// VNIs 1, 2 and 3 with 20, 30 and 10 routes.
fn three_vnis(scene: &Scene) -> Client {
    let mut client = Client::establish(scene.peers);
    for (vni, count) in [(1, 20), (2, 30), (3, 10)] {
        client.announce_all(&routes(vni, 0..count, 1));
    }
    client
}

fn a_click_on_a_header_sorts(scene: &mut Scene) {
    let _client = three_vnis(scene);
    scene.show("/#/vnis");
    first_cells(scene, "1,2,3");
    scene.browser.click("thead th:nth-child(2) button");
    first_cells(scene, "2,1,3");
    let sorted =
        "document.querySelector('th[aria-sort=descending]')?.innerText.startsWith('Routes')";
    scene.browser.until("aria-sort", sorted);
    scene.browser.click("thead th:nth-child(2) button");
    first_cells(scene, "3,1,2");
    scene.browser.click("thead th:nth-child(1) button");
    first_cells(scene, "1,2,3");
}

fn headers_work_by_keyboard(scene: &mut Scene) {
    let _client = three_vnis(scene);
    scene.show("/#/vnis");
    first_cells(scene, "1,2,3");
    scene.browser.eval("document.querySelector('thead th:nth-child(1) button').focus()");
    scene.browser.press("Tab");
    scene.browser.press("Enter");
    first_cells(scene, "2,1,3");
}

fn ten_thousand_routes_are_paged(scene: &mut Scene) {
    let mut client = Client::establish(scene.peers);
    client.announce_all(&routes(7, 0..10_000, 1));
    scene.show("/#/vni/7");
    scene.browser.until_says("1–100 of 10,000");
    let rows = "document.querySelectorAll('.listing tbody tr').length";
    assert_eq!(scene.browser.eval(rows), 100);
    let first = |name: &str| {
        format!("document.querySelector('.listing tbody tr')?.cells[0].innerText === '{name}'")
    };
    scene.browser.until("the first", &first("10.0.0.0/32"));
    scene.browser.click(".paging a:nth-child(2)");
    scene.browser.until_says("101–200 of 10,000");
    scene.browser.until("the next", &first("10.0.0.100/32"));
    scene.browser.click(".paging a:nth-child(2)");
    scene.browser.until_says("201–300 of 10,000");
    assert_eq!(scene.browser.eval(rows), 100);
    scene.browser.click(".paging a:nth-child(1)");
    scene.browser.until_says("101–200 of 10,000");
    scene.browser.until("the page before", &first("10.0.0.100/32"));
    scene.browser.click("thead th:nth-child(1) button");
    scene.browser.until("the last", &first("10.0.39.15/32"));
    scene.browser.until_says("1–100 of 10,000");
}

fn filters_narrow_a_listing(scene: &mut Scene) {
    let mut client = Client::establish(scene.peers);
    client.announce_all(&routes(7, 0..300, 1));
    client.announce_all(&routes(7, 300..310, 2));
    scene.show("/#/vni/7");
    scene.browser.until_says("1–100 of 310");
    scene.browser.click("input[name=next_hop]");
    scene.browser.write("2001:db8::2");
    scene.browser.until_says("1–10 of 10");
    scene.browser.click("input[name=address]");
    scene.browser.write("10.0.0.7");
    scene.browser.until_says("No route matches.");
    scene.show("/#/vni/7?within=10.0.0.0/24");
    scene.browser.until_says("1–100 of 256");
}

fn the_back_button_goes_back(scene: &mut Scene) {
    let _client = three_vnis(scene);
    scene.show("/#/vnis");
    first_cells(scene, "1,2,3");
    scene.browser.click("thead th:nth-child(2) button");
    first_cells(scene, "2,1,3");
    scene.browser.click("tbody th a");
    scene.browser.until_says("VNI 2");
    scene.browser.until_says("1–30 of 30");
    scene.browser.eval("history.back()");
    first_cells(scene, "2,1,3");
    scene.browser.eval("history.back()");
    first_cells(scene, "1,2,3");
}
