//! From `OS_AUTH_URL`, in whatever form, to the Keystone API to use: v3, or v2.0 where there is no other.

use reqwest::Url;
use serde_json::Value;

use crate::settings::IdentityVersion;

/// The address for logins, and the version of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Api {
    pub version: IdentityVersion,
    /// Without a slash at its end: `http://host:5000/v3`.
    pub url: String,
}

impl Api {
    pub fn tokens(&self) -> String {
        match self.version {
            IdentityVersion::Two => format!("{}/tokens", self.url),
            IdentityVersion::Three => format!("{}/auth/tokens", self.url),
        }
    }
}

/// The first step from the operator's URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The URL names v3: nothing has to be asked; the official client does not ask either.
    Known(Api),
    /// Ask these in turn for the versions that they know.
    Ask(Vec<String>),
}

/// `None` when it is not a URL.
pub(super) fn start(auth_url: &str) -> Option<Start> {
    let mut url = Url::parse(auth_url.trim()).ok()?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    let mut parts: Vec<String> =
        url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let mut named = None;
    match parts.last().map(String::as_str) {
        Some("v3") => {
            return Some(Start::Known(Api { version: IdentityVersion::Three, url: joined(&url, &parts) }));
        }
        // Old instructions end in a version that hardly any Keystone serves: the URL above it lists the others.
        Some("v2.0" | "v2") => {
            named = Some(joined(&url, &parts));
            parts.pop();
        }
        _ => {}
    }
    let mut bases = vec![joined(&url, &parts)];
    while parts.pop().is_some() {
        bases.push(joined(&url, &parts));
    }
    bases.extend(named);
    Some(Start::Ask(bases))
}

/// The API to use when nobody answered with a list of versions.
pub(super) fn last_resort(bases: &[String]) -> Api {
    let base = bases.first().map(String::as_str).unwrap_or_default();
    Api { version: IdentityVersion::Three, url: format!("{base}/v3") }
}

/// The API to use according to the versions that `base` answered with, a list or its own alone: the `wanted` one of
/// several; `Err` with the versions it has when none of them is known here.
///
/// Only the path of the link is trusted: behind a proxy the list often names an unreachable host, or `http` where
/// `https` was asked for, and a password follows.
pub(super) fn chosen(base: &str, document: &Value, wanted: IdentityVersion) -> Option<Result<Api, Vec<String>>> {
    let own = document.get("version").map(std::slice::from_ref);
    let listed = document.pointer("/versions/values").or_else(|| document.get("versions"));
    let versions = own.or_else(|| listed?.as_array().map(Vec::as_slice))?;
    let served = |version: IdentityVersion| {
        let start = if version == IdentityVersion::Two { "v2" } else { "v3" };
        let found = versions.iter().find(|version| id(version).is_some_and(|id| id.starts_with(start)))?;
        Some(Api { version, url: address(base, found, version) })
    };
    let found = [wanted, IdentityVersion::Three, IdentityVersion::Two].into_iter().find_map(served);
    Some(found.ok_or_else(|| versions.iter().filter_map(id).map(str::to_owned).collect()))
}

fn id(version: &Value) -> Option<&str> {
    version.get("id")?.as_str()
}

fn address(base: &str, served: &Value, version: IdentityVersion) -> String {
    let links = served.get("links").and_then(Value::as_array);
    let link = links.into_iter().flatten().find(|link| link.get("rel").and_then(Value::as_str) == Some("self"));
    let linked = link.and_then(|link| Url::parse(link.get("href")?.as_str()?).ok());
    let own = Url::parse(base).ok();
    let path = linked.as_ref().map(|linked| linked.path().trim_end_matches('/')).unwrap_or_default();
    let below = own.as_ref().map(|own| own.path().trim_end_matches('/')).unwrap_or_default();
    let last = if version == IdentityVersion::Two { "v2.0" } else { "v3" };
    match own.as_ref() {
        Some(own) if !path.is_empty() && path.starts_with(below) => {
            format!("{}{path}", own.origin().ascii_serialization())
        }
        _ if below.ends_with(&format!("/{last}")) => base.to_owned(),
        _ => format!("{base}/{last}"),
    }
}

fn joined(url: &Url, parts: &[String]) -> String {
    let mut url = url.clone();
    url.set_path(&parts.join("/"));
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use IdentityVersion::{Three, Two};

    fn ask(bases: &[&str]) -> Option<Start> {
        Some(Start::Ask(bases.iter().map(|base| (*base).to_owned()).collect()))
    }

    fn api(version: IdentityVersion, url: &str) -> Api {
        Api { version, url: url.to_owned() }
    }

    #[test]
    fn every_spelling_of_the_url_leads_to_its_base() {
        let exact = |url: &str| Some(Start::Known(api(Three, url)));
        assert_eq!(start("http://h:5000/v3"), exact("http://h:5000/v3"));
        assert_eq!(start("http://h:5000/v3/"), exact("http://h:5000/v3"));
        assert_eq!(start("https://h/identity/v3"), exact("https://h/identity/v3"));
        assert_eq!(start("http://h:5000"), ask(&["http://h:5000"]));
        assert_eq!(start("http://h:5000/v2.0/"), ask(&["http://h:5000", "http://h:5000/v2.0"]));
        assert_eq!(
            start("https://h/identity/v2.0"),
            ask(&["https://h/identity", "https://h", "https://h/identity/v2.0"])
        );
        assert_eq!(start("h:5000/v3"), None);
        assert_eq!(start("keystone"), None);
    }

    #[test]
    fn the_list_of_versions_gives_the_path_and_never_another_host() {
        let list = |href: &str| {
            json!({"versions": {"values": [{"id": "v3.14", "status": "stable",
                "links": [{"rel": "self", "href": href}]}]}})
        };
        let found = |base, href| chosen(base, &list(href), Three).unwrap().unwrap();
        assert_eq!(found("http://h:5000", "http://h:5000/v3/"), api(Three, "http://h:5000/v3"));
        assert_eq!(found("https://h", "http://inside:5000/identity/v3/"), api(Three, "https://h/identity/v3"));
        assert_eq!(found("https://h/identity", "http://inside:5000/v3/"), api(Three, "https://h/identity/v3"));
    }

    #[test]
    fn of_several_versions_the_wanted_one_is_spoken_and_of_one_that_one() {
        let (old, new) = (json!({"id": "v2.0"}), json!({"id": "v3.4"}));
        let list = |versions: &[&Value]| json!({"versions": {"values": versions}});
        let found = |versions: &[&Value], wanted| chosen("http://h", &list(versions), wanted).unwrap().unwrap();
        let (second, third) = (api(Two, "http://h/v2.0"), api(Three, "http://h/v3"));
        assert_eq!([found(&[&old, &new], Three), found(&[&new], Two)], [third.clone(), third]);
        assert_eq!([found(&[&new, &old], Two), found(&[&old], Three)], [second.clone(), second.clone()]);
        let own = chosen("http://h/v2.0", &json!({"version": old}), Three);
        assert_eq!(own, Some(Ok(second)), "a version may tell about itself alone");
    }

    #[test]
    fn a_keystone_of_other_versions_says_what_it_has() {
        let odd = json!({"versions": {"values": [{"id": "v4.0"}]}});
        assert_eq!(chosen("http://h", &odd, Three), Some(Err(vec!["v4.0".to_owned()])));
        assert_eq!(chosen("http://h", &json!({"error": {}}), Three), None);
    }
}
