//! The copy of generated code, which builds of the leaf alone take.

#[test]
fn the_copy_is_what_the_schema_comes_to() {
    let made = include_str!(concat!(env!("OUT_DIR"), "/metalbond.rs"));
    let copy = include_str!("../../../proto/metalbond.rs");
    assert!(
        made == copy,
        "proto/metalbond.proto has changed: cp {} proto/metalbond.rs",
        concat!(env!("OUT_DIR"), "/metalbond.rs")
    );
}
