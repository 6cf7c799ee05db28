//! The secrets that the process has met, and the mask over them: the last step of every text that leaves.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use serde_json::Value;

use super::carried;
use super::found::{SHORTEST, passwords};
use super::names::{MASK, is_secret_name};
use super::place::Place;

/// Common words: masking them would ruin reports, and somebody who uses one as a password gains nothing by it.
const WORDS: [&str; 16] = [
    "coriolis",
    "openstack",
    "vmware",
    "vsphere",
    "vmware_vsphere",
    "vcenter",
    "default",
    "administrator",
    "changeme",
    "endpoint",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credentials",
];

/// A handle to them; clones share them.
#[derive(Clone, Default)]
pub struct Known(Arc<Mutex<Forms>>);

#[derive(Default)]
struct Forms {
    /// As they were met.
    texts: BTreeSet<String>,
    /// All their forms.
    forms: BTreeSet<String>,
    /// Finds the forms; built when it is needed after new ones were added.
    finder: Option<Arc<AhoCorasick>>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known")
    }
}

impl Known {
    /// Masks this text from now on, and its forms in JSON, in a URL, in base64 and in HTML. A text of several lines is
    /// also masked line by line.
    pub fn learn(&self, secret: &str) {
        let mut known = self.0.lock();
        if known.texts.contains(secret) {
            return;
        }
        known.texts.insert(secret.to_owned());
        let mut parts: Vec<String> = passwords(secret).into_iter().map(|range| secret[range].to_owned()).collect();
        match serde_json::from_str::<Value>(secret) {
            // A connection also has a host, which everybody may read.
            Ok(value @ (Value::Object(_) | Value::Array(_))) => secrets_of(Place::CREDENTIALS, &value, &mut parts),
            _ => parts.extend(secret.lines().filter(|line| !line.contains("-----")).map(str::to_owned)),
        }
        let decoded = |part: &String| {
            let pair = format!("={}", part.replace('+', "%2B").replace('&', "%26"));
            form_urlencoded::parse(pair.as_bytes()).next().map(|(_, text)| text.into_owned())
        };
        parts.extend(parts.iter().filter(|part| part.contains('%')).filter_map(decoded).collect::<Vec<_>>());
        let mut added = false;
        for text in [secret].into_iter().chain(parts.iter().map(String::as_str)) {
            for form in forms(text.trim()) {
                added |= known.forms.insert(form);
            }
        }
        if added {
            known.finder = None;
        }
    }

    /// Learns the values behind names of secrets (`password: ...`) in a settings file, readable or not.
    pub fn learn_settings(&self, text: &str) {
        let unquoted = |value: &str| value.trim().trim_matches(['"', '\'', ',', '}', '{', '[', ']']).trim().to_owned();
        for part in text.split(['\n', ',', '{', '}']) {
            let Some((name, value)) = part.split_once(':') else { continue };
            if is_secret_name(&unquoted(name)) {
                let bare = value.split(" #").next().unwrap_or_default();
                [value, bare]
                    .into_iter()
                    .map(unquoted)
                    .filter(|value| !value.is_empty())
                    .for_each(|value| self.learn(&value));
            }
        }
    }

    /// The number of secrets: if it has grown, kept texts may have to be masked again.
    pub fn count(&self) -> usize {
        self.0.lock().texts.len()
    }

    /// The text with the secrets masked.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let text = carried::shown(text);
        let text = match self.finder().filter(|finder| finder.is_match(&*text)) {
            Some(finder) => Cow::Owned(finder.replace_all_with_mask(&text)),
            None => text,
        };
        let found = passwords(&text);
        if found.is_empty() {
            return text;
        }
        let mut masked = String::with_capacity(text.len());
        let mut rest = 0;
        for range in found {
            masked.push_str(&text[rest..range.start]);
            masked.push_str(MASK);
            rest = range.end;
        }
        masked.push_str(&text[rest..]);
        Cow::Owned(masked)
    }

    /// The text of a program with the known secrets masked; anything else that looks like one is its author's.
    pub fn mask_code(&self, text: &str) -> String {
        match self.finder() {
            Some(finder) => finder.replace_all_with_mask(text),
            None => text.to_owned(),
        }
    }

    /// True if [`Known::mask`] would change it.
    pub fn finds(&self, text: &str) -> bool {
        matches!(self.mask(text), Cow::Owned(masked) if masked != text)
    }

    /// Masks all texts of a value except those, and lists of those, in the fields `but`, which say what it is.
    pub fn mask_value(&self, value: &mut Value, but: &[&str]) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(masked) = self.mask(text) {
                    *text = masked;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.mask_value(value, but)),
            Value::Object(fields) => {
                let is_plain = |field: &Value| match field {
                    Value::Array(texts) => texts.iter().all(Value::is_string),
                    field => field.is_string(),
                };
                for (name, field) in fields.iter_mut() {
                    if !(is_plain(field) && but.contains(&name.as_str())) {
                        self.mask_value(field, but);
                    }
                }
            }
            _ => {}
        }
    }

    fn finder(&self) -> Option<Arc<AhoCorasick>> {
        let mut known = self.0.lock();
        if known.forms.is_empty() {
            return None;
        }
        if known.finder.is_none() {
            let mut builder = AhoCorasickBuilder::new();
            builder.ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest);
            // A process cannot meet more forms than the finder can hold.
            known.finder = builder.build(&known.forms).ok().map(Arc::new);
        }
        known.finder.clone()
    }
}

/// Replaces the matches by the mask.
trait ReplaceAll {
    fn replace_all_with_mask(&self, text: &str) -> String;
}

impl ReplaceAll for AhoCorasick {
    fn replace_all_with_mask(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        self.replace_all_with(text, &mut masked, |_, _, to| {
            to.push_str(MASK);
            true
        });
        masked
    }
}

/// The texts in a value that are secrets by their position.
fn secrets_of(place: Place, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if place.keeps(value) => found.push(text.clone()),
        Value::Number(number) if place.keeps(value) => found.push(number.to_string()),
        Value::Array(values) => values.iter().for_each(|value| secrets_of(place, value, found)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| secrets_of(place.inside(name), value, found)),
        _ => {}
    }
}

/// The forms of a secret in written text.
fn forms(text: &str) -> Vec<String> {
    if text.len() < SHORTEST || WORDS.contains(&text.to_lowercase().as_str()) {
        return Vec::new();
    }
    let json = Value::from(text).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let page = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut forms = vec![
        text.to_owned(),
        Value::from(json.as_str()).to_string().trim_matches('"').to_owned(),
        json,
        form.replace('+', "%20"),
        form,
        page.replace('"', "&quot;"),
        page.replace('"', "&quot;").replace('\'', "&#39;"),
        page.replace('"', "&quot;").replace('\'', "&apos;"),
        page,
        text.replace('"', "\"\""),
        text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        URL_SAFE_NO_PAD.encode(text),
    ];
    // The base64 of a text around it depends on its offset.
    for before in 0..3 {
        let whole = [vec![0; before], text.as_bytes().to_vec()].concat();
        let surely = &whole[..whole.len() - whole.len() % 3];
        let code = STANDARD_NO_PAD.encode(surely);
        forms.push(code[if before == 0 { 0 } else { before + 1 }..].to_owned());
    }
    forms.push(STANDARD.encode(text));
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(secrets: &[&str]) -> Known {
        let known = Known::default();
        secrets.iter().for_each(|secret| known.learn(secret));
        known
    }

    #[test]
    fn every_form_of_a_known_secret_is_masked() {
        let secret = "pl\"nted &<ü\\+7";
        let known = knows(&[secret]);
        let json = Value::from(secret).to_string();
        let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for text in [
            secret.to_owned(),
            json.clone(),
            Value::from(json.as_str()).to_string(),
            form.clone(),
            form.to_lowercase(),
            STANDARD.encode(secret),
            secret.to_uppercase().replace('Ü', "ü"),
            secret.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;"),
        ] {
            let masked = known.mask(&text);
            assert!(masked.contains(MASK) && !masked.contains("nted") && masked.len() < text.len(), "{text}: {masked}");
        }
        let known = knows(&["planted-password"]);
        for login in ["u:planted-password", "uu:planted-password", "uuu:planted-password"] {
            assert!(known.mask(&STANDARD.encode(login)).contains(MASK), "{login}");
        }
    }

    #[test]
    fn what_is_short_or_stands_everywhere_is_left_alone() {
        let known = knows(&["a", "4711", "pin-1", "password", "openstack", ""]);
        let text = "a pin-1 of 4711: openstack and its password";
        assert_eq!(known.mask(text), text);
        assert_eq!(knows(&["pin-12"]).mask("pin-12"), MASK);
    }

    #[test]
    fn the_lines_of_a_key_and_the_password_of_an_address_are_masked_alone() {
        let known = knows(&["-----BEGIN KEY-----\nplantedplanted\n-----END KEY-----\n", "postgres://u:p4ssw0rd@h/x"]);
        assert_eq!(known.mask("> plantedplanted"), "> ***");
        assert_eq!(known.mask("p4ssw0rd of u"), "*** of u");
        let known = knows(&["https://u:p%40ss+w0rd@h/x"]);
        assert_eq!(known.mask("p@ss+w0rd or p%40ss+w0rd"), "*** or ***");
        let known = knows(&[r#"{"host": "vc.example", "password": "planted"}"#]);
        assert_eq!(known.mask("vc.example takes planted"), "vc.example takes ***");
        assert_eq!(Known::default().mask("at http://u:p@h:1/"), "at http://u:***@h:1/");
    }

    #[test]
    fn a_settings_file_that_cannot_be_read_still_tells_its_secrets() {
        let known = Known::default();
        known.learn_settings("clouds:\n  a: {auth: {username: ann, password: 'planted-a'}}\n  b:\n    auth:\n      password: planted-b # not\n      token: [");
        assert_eq!(known.mask("ann planted-a planted-b token"), "ann *** *** token");
    }
}
