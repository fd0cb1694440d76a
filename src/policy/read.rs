//! Turns the form of a policy into a [`Policy`]. Reports every mistake with its line.

use toml::Spanned;

use super::class::Class;
use super::error::PolicyError;
use super::form::{ClassForm, PolicyForm, RuleForm, Texts};
use super::list::{DEFAULT, Match, Policy};
use super::prefixes::{NotAPrefixRange, PrefixRange, PrefixSet};
use super::refusal::OnRefusal;
use super::rights::ClassId;
use super::rule::{Hops, Rule};
use super::selection::Echo;
use super::vnis::VniSet;
use crate::wire::{Destination, NextHopType};

/// The most classes of one policy, and rules of one class.
const CLASSES: usize = 1024;
const RULES: usize = 10_000;

/// Reads a form, and notes the errors.
#[derive(Debug)]
struct Reader<'a> {
    text: &'a str,
    wrong: Vec<PolicyError>,
}

impl PolicyForm {
    /// The policy.
    ///
    /// # Errors
    /// All errors.
    pub(super) fn compile(self, text: &str) -> Result<Policy, Vec<PolicyError>> {
        let mut reader = Reader { text, wrong: Vec::new() };
        let then = reader.verdict(self.verdict, OnRefusal::default());
        let mut policy = Policy::default();
        for form in self.class.into_iter().take(CLASSES + 1) {
            let at = form.span().start;
            if policy.classes.len() > CLASSES {
                reader.note(at, format!("a policy has {CLASSES} classes at most"));
                break;
            }
            reader.class(at, form.into_inner(), then, &mut policy);
        }
        if reader.wrong.is_empty() { Ok(policy) } else { Err(reader.wrong) }
    }
}

impl Reader<'_> {
    fn note(&mut self, at: usize, sentence: String) {
        self.wrong.push(PolicyError::new(self.text, at, sentence));
    }

    fn class(&mut self, at: usize, form: ClassForm, then: OnRefusal, policy: &mut Policy) {
        let name = form.name.into_inner();
        let is_name = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_name {
            self.note(at, format!("class {name:?}: a name is of letters, digits, - _ and ."));
        }
        let mut class = Class::open(&name);
        class.then = self.verdict(form.verdict, then);
        class.server = form.server.unwrap_or(true);
        class.subscribe = form.subscribe.map(|texts| self.vnis("subscribe", texts));
        class.announce = form.announce.map(|texts| self.vnis("announce", texts));
        (class.max_routes, class.max_subscriptions) = (form.max_routes, form.max_subscriptions);
        class.stale_hold = form.stale_hold.and_then(|text| {
            let at = text.span().start;
            let hold = crate::ids::duration(text.get_ref());
            hold.map_err(|why| self.note(at, format!("stale-hold {:?}: {why}", text.get_ref())))
                .ok()
        });
        class.one_next_hop = form.one_next_hop;
        class.echo = form.echo.and_then(|text| {
            let at = text.span().start;
            let echo = Echo::from_name(text.get_ref());
            echo.map_err(|why| self.note(at, format!("echo {:?}: {why}", text.get_ref()))).ok()
        });
        if form.rule.len() > RULES {
            self.note(at, format!("class {name}: a class has {RULES} rules at most"));
        }
        class.rules = form.rule.into_iter().map(|rule| self.rule(rule, class.then)).collect();
        let list = |texts: Option<Texts>| texts.map(Texts::list).unwrap_or_default();
        let from = form.from.map(|texts| self.sources(texts)).unwrap_or_default();
        let (certificates, sites) = (list(form.certificates), list(form.sites));
        let is_described = !(from.is_empty() && certificates.is_empty() && sites.is_empty());
        let class = class.finished();
        if name == DEFAULT {
            if is_described {
                self.note(at, "class default is for peers of no other class: leave from, certificates and sites out".into());
            }
            if policy.classes[0].as_ref().is_some_and(Class::is_described) {
                self.note(at, "there are two classes default".into());
            }
            policy.classes[0] = Some(class);
            return;
        }
        if !is_described {
            self.note(
                at,
                format!("class {name}: say who belongs to it by from, certificates or sites"),
            );
        }
        if policy.names.contains(&class.name) {
            self.note(at, format!("there are two classes {name}"));
        }
        let id = ClassId(u16::try_from(policy.classes.len()).unwrap_or(0));
        policy.names.push(std::sync::Arc::clone(&class.name));
        policy.classes.push(Some(class));
        policy.matches.push(Match { class: id, from, certificates, sites });
    }

    fn rule(&mut self, form: RuleForm, then: OnRefusal) -> Rule {
        Rule {
            vnis: form.vnis.map(|texts| self.vnis("vnis", texts)),
            types: form.types.map(|texts| self.types(texts)),
            default_routes: form.default_routes.unwrap_or(true),
            target_vnis: form.target_vnis.map(|texts| self.vnis("target-vnis", texts)),
            hops: form.next_hops.and_then(|texts| self.hops(texts)),
            prefixes: form.prefixes.map(|texts| self.prefixes(texts)),
            then: self.verdict(form.verdict, then),
        }
    }

    fn verdict(&mut self, text: Option<Spanned<String>>, inherited: OnRefusal) -> OnRefusal {
        let Some(text) = text else { return inherited };
        let all = [OnRefusal::Ignore, OnRefusal::Close, OnRefusal::Warn];
        all.into_iter().find(|it| it.name() == text.get_ref()).unwrap_or_else(|| {
            let sentence = format!("verdict {:?}: expected ignore, close or warn", text.get_ref());
            self.note(text.span().start, sentence);
            inherited
        })
    }

    fn vnis(&mut self, key: &str, texts: Spanned<Texts>) -> VniSet {
        let at = texts.span().start;
        let texts = texts.into_inner().list();
        VniSet::parse(texts.iter().map(String::as_str)).unwrap_or_else(|text| {
            self.note(at, format!("{key}: expected VNIs such as 100 or \"100-199\", not {text:?}"));
            VniSet::default()
        })
    }

    fn types(&mut self, texts: Spanned<Texts>) -> [bool; NextHopType::ALL.len()] {
        let at = texts.span().start;
        let mut types = [false; NextHopType::ALL.len()];
        for text in texts.into_inner().list() {
            match text.parse::<NextHopType>() {
                Ok(kind) => types[kind as usize] = true,
                Err(_) => {
                    self.note(at, format!("types: expected standard, nat or lb, not {text:?}"));
                }
            }
        }
        types
    }

    fn prefixes(&mut self, texts: Spanned<Texts>) -> PrefixSet {
        let at = texts.span().start;
        let mut all = Vec::new();
        for text in texts.into_inner().list() {
            match text.parse::<PrefixRange>() {
                Ok(range) => all.push(range),
                Err(NotAPrefixRange) => self.note(
                    at,
                    format!(
                        "prefixes: expected a prefix such as \"10.0.0.0/8 ge 24 le 32\", not {text:?}"
                    ),
                ),
            }
        }
        PrefixSet::new(all)
    }

    /// Prefixes of addresses, each with all that lies within it.
    fn networks(&mut self, key: &str, at: usize, texts: Vec<String>) -> Vec<PrefixRange> {
        let mut all = Vec::new();
        for text in texts {
            let address = text.parse().ok().map(Destination::host);
            let prefix = address.or_else(|| text.parse().ok()).filter(|it| it.network() == *it);
            match prefix {
                Some(prefix) => all.push(PrefixRange::within(prefix)),
                None => self.note(
                    at,
                    format!(
                        "{key}: expected a prefix or an address such as 2001:db8::/32, not {text:?}"
                    ),
                ),
            }
        }
        all
    }

    fn sources(&mut self, texts: Spanned<Texts>) -> Vec<PrefixRange> {
        let at = texts.span().start;
        self.networks("from", at, texts.into_inner().list())
    }

    /// `None` for `any`, which requires nothing.
    fn hops(&mut self, texts: Spanned<Texts>) -> Option<Hops> {
        let at = texts.span().start;
        let mut texts = texts.into_inner().list();
        if texts.iter().any(|text| text == "any") {
            return None;
        }
        let before = texts.len();
        texts.retain(|text| text != "own/64");
        let own = texts.len() < before;
        let within = self.networks("next-hops (own/64, any, prefixes)", at, texts);
        Some(Hops { own, within: PrefixSet::new(within) })
    }
}
