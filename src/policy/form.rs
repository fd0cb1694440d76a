//! `[policy]` as TOML has it.

use serde::Deserialize;
use toml::Spanned;

use super::error::PolicyError;

/// A list of texts, or one text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Texts {
    One(String),
    All(Vec<String>),
    /// A VNI as a number.
    Number(u32),
    Numbers(Vec<TextOrNumber>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum TextOrNumber {
    Text(String),
    Number(u32),
}

impl Texts {
    pub(super) fn list(self) -> Vec<String> {
        let text = |it| match it {
            TextOrNumber::Text(text) => text,
            TextOrNumber::Number(number) => number.to_string(),
        };
        match self {
            Self::One(text) => vec![text],
            Self::All(texts) => texts,
            Self::Number(number) => vec![number.to_string()],
            Self::Numbers(all) => all.into_iter().map(text).collect(),
        }
    }
}

#[derive(Debug, Deserialize)]
struct File {
    policy: Option<PolicyForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PolicyForm {
    pub(super) verdict: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) class: Vec<Spanned<ClassForm>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ClassForm {
    pub(super) name: Spanned<String>,
    pub(super) from: Option<Spanned<Texts>>,
    pub(super) certificates: Option<Texts>,
    pub(super) sites: Option<Texts>,
    pub(super) verdict: Option<Spanned<String>>,
    pub(super) server: Option<bool>,
    pub(super) subscribe: Option<Spanned<Texts>>,
    pub(super) announce: Option<Spanned<Texts>>,
    pub(super) max_routes: Option<u64>,
    pub(super) max_subscriptions: Option<u64>,
    pub(super) stale_hold: Option<Spanned<String>>,
    pub(super) echo: Option<Spanned<String>>,
    pub(super) one_next_hop: Option<bool>,
    #[serde(default)]
    pub(super) rule: Vec<RuleForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RuleForm {
    pub(super) vnis: Option<Spanned<Texts>>,
    pub(super) next_hops: Option<Spanned<Texts>>,
    pub(super) prefixes: Option<Spanned<Texts>>,
    pub(super) types: Option<Spanned<Texts>>,
    pub(super) default_routes: Option<bool>,
    pub(super) target_vnis: Option<Spanned<Texts>>,
    pub(super) verdict: Option<Spanned<String>>,
}

/// The table, if there is one.
///
/// # Errors
/// The faults that TOML, or a key, reports.
pub(super) fn read(text: &str) -> Result<Option<PolicyForm>, Vec<PolicyError>> {
    let file: Result<File, toml::de::Error> = toml::from_str(text);
    file.map(|file| file.policy).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        vec![PolicyError::new(text, at, error.message().to_owned())]
    })
}
