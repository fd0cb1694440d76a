//! Reports for browsers: one file with everything in it.

use serde_json::Value;

/// The page; a script in it draws the data.
const PAGE: &str = include_str!("page.html");
const PLACE: &str = "\"loadgen-data\"";

/// The page of a run or of a comparison.
///
/// Its contents come from flags and files: no `<` may end its element, and the
/// script puts it on the page as text only.
pub(crate) fn of(data: &Value) -> String {
    PAGE.replacen(PLACE, &data.to_string().replace('<', "\\u003c"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_stay_data() {
        let evil = "</script><script>alert(1)</script>";
        let page = of(&serde_json::json!({ "target": evil }));
        assert!(!page.contains(evil));
        assert_eq!(page.matches("</script>").count(), PAGE.matches("</script>").count());
        assert!(page.contains(r"\u003c/script>\u003cscript>alert(1)"));
    }

    #[test]
    fn the_page_is_alone() {
        assert_eq!(PAGE.matches(PLACE).count(), 1);
        for word in ["http:", "https:", "src=", "href=", "url(", "@import", "fetch("] {
            assert!(!PAGE.contains(word), "{word}");
        }
    }
}
