//! From `OS_AUTH_URL`, however it is written, to the URL of Keystone's v3 API.

use reqwest::Url;
use serde_json::Value;

/// Where to go on from what the operator wrote.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The URL names v3: nothing has to be asked, as the official client does not either.
    Version3(String),
    /// Ask these in turn for the versions they know; the last resort is `/v3` below the first.
    Ask(Vec<String>),
}

/// `None` when it is no URL.
pub(super) fn start(auth_url: &str) -> Option<Start> {
    let mut url = Url::parse(auth_url.trim()).ok()?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    let mut parts: Vec<String> =
        url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).map(str::to_owned).collect();
    match parts.last().map(String::as_str) {
        Some("v3") => return Some(Start::Version3(joined(&url, &parts))),
        // Old instructions end in a version that no Keystone serves any more.
        Some("v2.0" | "v2") => drop(parts.pop()),
        _ => {}
    }
    let mut bases = vec![joined(&url, &parts)];
    while parts.pop().is_some() {
        bases.push(joined(&url, &parts));
    }
    Some(Start::Ask(bases))
}

/// What to use when nobody answered with a list of versions.
pub(super) fn last_resort(bases: &[String]) -> String {
    format!("{}/v3", bases.first().map(String::as_str).unwrap_or_default())
}

/// The v3 URL by the list of versions that `base` answered with; what else it has, when it has no v3.
///
/// Of the link only the path is believed: behind a proxy the list often names a host that cannot be reached, or `http`
/// where `https` was asked for, and a password follows.
pub(super) fn version3(base: &str, document: &Value) -> Option<Result<String, Vec<String>>> {
    let versions = document.pointer("/versions/values").or_else(|| document.get("versions"))?.as_array()?;
    let id = |version: &Value| version.get("id").and_then(Value::as_str).map(str::to_owned);
    let Some(version) = versions.iter().find(|version| id(version).is_some_and(|id| id.starts_with("v3"))) else {
        return Some(Err(versions.iter().filter_map(id).collect()));
    };
    let links = version.get("links").and_then(Value::as_array);
    let link = links.into_iter().flatten().find(|link| link.get("rel").and_then(Value::as_str) == Some("self"));
    let linked = link.and_then(|link| Url::parse(link.get("href")?.as_str()?).ok());
    let own = Url::parse(base).ok();
    let path = linked.as_ref().map(|linked| linked.path().trim_end_matches('/')).unwrap_or_default();
    let below = own.as_ref().map(|own| own.path().trim_end_matches('/')).unwrap_or_default();
    Some(Ok(match own.as_ref() {
        Some(own) if !path.is_empty() && path.starts_with(below) => {
            format!("{}{path}", own.origin().ascii_serialization())
        }
        _ => format!("{base}/v3"),
    }))
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

    fn ask(bases: &[&str]) -> Option<Start> {
        Some(Start::Ask(bases.iter().map(|base| (*base).to_owned()).collect()))
    }

    #[test]
    fn every_spelling_of_the_url_leads_to_its_base() {
        let exact = |url: &str| Some(Start::Version3(url.to_owned()));
        assert_eq!(start("http://h:5000/v3"), exact("http://h:5000/v3"));
        assert_eq!(start("http://h:5000/v3/"), exact("http://h:5000/v3"));
        assert_eq!(start("https://h/identity/v3"), exact("https://h/identity/v3"));
        assert_eq!(start("http://h:5000"), ask(&["http://h:5000"]));
        assert_eq!(start("http://h:5000/v2.0/"), ask(&["http://h:5000"]));
        assert_eq!(start("https://h/identity/v2.0"), ask(&["https://h/identity", "https://h"]));
        assert_eq!(start("h:5000/v3"), None);
        assert_eq!(start("keystone"), None);
    }

    #[test]
    fn the_list_of_versions_gives_the_path_and_never_another_host() {
        let list = |href: &str| {
            json!({"versions": {"values": [{"id": "v3.14", "status": "stable",
                "links": [{"rel": "self", "href": href}]}]}})
        };
        let found = |base, href| version3(base, &list(href)).unwrap().unwrap();
        assert_eq!(found("http://h:5000", "http://h:5000/v3/"), "http://h:5000/v3");
        assert_eq!(found("https://h", "http://inside:5000/identity/v3/"), "https://h/identity/v3");
        assert_eq!(found("https://h/identity", "http://inside:5000/v3/"), "https://h/identity/v3");
    }

    #[test]
    fn a_keystone_without_version_3_says_what_it_has() {
        let old = json!({"versions": {"values": [{"id": "v2.0"}]}});
        assert_eq!(version3("http://h", &old), Some(Err(vec!["v2.0".to_owned()])));
        assert_eq!(version3("http://h", &json!({"error": {}})), None);
    }
}
