//! Tables that are sorted, paged and filtered.

use super::{Scene, on_page};
use crate::harness::{Client, route, routes};

on_page!(
    a_click_on_a_header_sorts,
    ten_thousand_routes_are_paged,
    a_page_leads_back_in_whatever_tab_it_is,
    paging_keeps_what_is_asked_for,
    paging_works_by_keyboard,
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

const NEXT: &str = ".paging a[name=next][href]";
const PREVIOUS: &str = ".paging a[name=previous][href]";

/// The first row and what the page says of where it is.
fn expect_page(scene: &mut Scene, first: &str, range: &str) {
    let script = format!("{FIRST}.startsWith('{first},')");
    scene.browser.until(first, &script);
    scene.browser.until_says(range);
}

fn a_page_leads_back_in_whatever_tab_it_is(scene: &mut Scene) {
    let mut client = Client::establish(scene.peers);
    client.announce_all(&routes(7, 0..350, 1));
    scene.show("/#/vni/7");
    expect_page(scene, "10.0.0.0/32", "1–100 of 350");
    for (first, range) in
        [("10.0.0.100/32", "101–200 of"), ("10.0.0.200/32", "201–300 of"), ("10.0.1.44/32", "301–")]
    {
        scene.browser.click(NEXT);
        expect_page(scene, first, range);
    }
    assert_eq!(scene.browser.eval(&format!("document.querySelector('{NEXT}') === null")), true);
    let hash = scene.browser.eval("location.hash").as_str().unwrap().to_owned();
    assert!(hash.len() < 150, "{hash}");
    // Somebody else is given the address. Meanwhile a row has come before all others.
    client.announce(&route(7, 0, 0));
    scene.show(&format!("/{hash}"));
    expect_page(scene, "10.0.1.44/32", "302–351 of 351");
    scene.browser.click(PREVIOUS);
    expect_page(scene, "10.0.0.200/32", "202–301 of 351");
    scene.browser.click(PREVIOUS);
    expect_page(scene, "10.0.0.100/32", "102–201 of 351");
    scene.browser.click(PREVIOUS);
    expect_page(scene, "10.0.0.0/32", "2–101 of 351");
    // What is left is not a whole page: the first one is.
    scene.browser.click(PREVIOUS);
    expect_page(scene, "10.0.0.0/32", "1–100 of 351");
    assert_eq!(scene.browser.eval("location.hash"), "#/vni/7");
    assert_eq!(scene.browser.eval(&format!("document.querySelector('{PREVIOUS}') === null")), true);
    // The browser's own way back leads through the same pages.
    scene.browser.eval("history.back()");
    expect_page(scene, "10.0.0.0/32", "2–101 of 351");
    scene.browser.eval("history.back()");
    expect_page(scene, "10.0.0.100/32", "102–201 of 351");
    scene.browser.eval("history.forward()");
    expect_page(scene, "10.0.0.0/32", "2–101 of 351");
    // Behind the last row there is still a way back.
    client.withdraw_all(&routes(7, 250..350, 1));
    scene.show(&format!("/{hash}"));
    scene.browser.until_says("0 of 251");
    scene.browser.click(PREVIOUS);
    expect_page(scene, "10.0.0.0/32", "1–100 of 251");
}

fn paging_keeps_what_is_asked_for(scene: &mut Scene) {
    let mut client = Client::establish(scene.peers);
    client.announce_all(&routes(7, 0..150, 1));
    let mut subscribers: Vec<_> = (0..101).map(|_| Client::establish(scene.peers)).collect();
    for client in &mut subscribers {
        client.subscribe(7);
        client.expect_end_of_table(7);
    }
    for (view, range, found) in [
        ("/#/search?q=10.0.0.0/24&kind=1", "101–150 of 150", "For 10.0.0.0/24 in all VNIs"),
        ("/#/vni/7?within=10.0.0.0/25", "101–128 of 128", "Longest match"),
        ("/#/vni/7?tab=subscribers", "101–101 of 101", "Standing"),
        ("/#/peers?sort=-routes", "101–102 of 102", "test-node"),
    ] {
        scene.show(view);
        scene.browser.click(NEXT);
        scene.browser.until_says(range);
        scene.browser.until_says(found);
        scene.browser.click(PREVIOUS);
        scene.browser.until_says("1–100 of");
        assert_eq!(scene.browser.eval("`/${location.hash}`.replaceAll('%2F', '/')"), view);
    }
}

fn paging_works_by_keyboard(scene: &mut Scene) {
    let mut client = Client::establish(scene.peers);
    client.announce_all(&routes(7, 0..350, 1));
    scene.show("/#/vni/7");
    scene.browser.until("a next page", &format!("document.querySelector('{NEXT}')"));
    scene.browser.eval(&format!("document.querySelector('{NEXT}').focus()"));
    for range in ["101–200 of 350", "201–300 of 350"] {
        scene.browser.press("Enter");
        scene.browser.until_says(range);
        scene.browser.until("a next page", &format!("document.querySelector('{NEXT}')"));
    }
    assert_eq!(scene.browser.eval("document.activeElement.name"), "next");
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
