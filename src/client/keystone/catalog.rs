//! Finding Coriolis' URL in the catalog, and reading `--endpoint`.

use std::collections::BTreeSet;

use reqwest::Url;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::error::{Error, Result, suggest};
use crate::settings::{Service, Sourced};

/// One service of a token's catalog. Every part may be missing: one odd entry must not make the others unusable.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    #[serde(rename = "type", deserialize_with = "text")]
    pub kind: Option<String>,
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    #[serde(deserialize_with = "list")]
    pub endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Endpoint {
    #[serde(deserialize_with = "text")]
    pub interface: Option<String>,
    #[serde(deserialize_with = "text")]
    pub region: Option<String>,
    #[serde(deserialize_with = "text")]
    pub region_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub url: Option<String>,
}

impl Endpoint {
    fn region(&self) -> Option<&str> {
        self.region_id.as_deref().or(self.region.as_deref())
    }
}

/// A text; `None` for an empty one and for any other value.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) if !text.is_empty() => Some(text),
        _ => None,
    })
}

/// The readable items of a list; empty where there is no list.
pub(super) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Array(items) => items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect(),
        _ => Vec::new(),
    })
}

/// True if every entry has a type and addresses, and every address its interface: the next catalog may have the missing
/// parts.
pub(super) fn is_whole(catalog: &Value) -> bool {
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let endpoint = |endpoint: &Value| {
        let listed = text(&endpoint["interface"]) && text(&endpoint["url"]);
        listed || ["publicURL", "internalURL", "adminURL"].iter().any(|name| text(&endpoint[*name]))
    };
    let entry = |entry: &Value| {
        text(&entry["type"]) && entry["endpoints"].as_array().is_some_and(|endpoints| endpoints.iter().all(endpoint))
    };
    catalog.as_array().is_some_and(|entries| entries.iter().all(entry))
}

/// Placeholders for the project's id in the URLs of a catalog and of clouds.yaml: Keystone's own templates write them
/// with a dollar, keystoneauth's with a percent sign.
const PROJECT: [&str; 4] = ["$(project_id)s", "$(tenant_id)s", "%(project_id)s", "%(tenant_id)s"];

/// Puts the project's id into the URLs that name it.
pub(super) fn fill(catalog: &mut [Entry], project: Option<&str>) {
    let urls = catalog.iter_mut().flat_map(|entry| &mut entry.endpoints).filter_map(|endpoint| endpoint.url.as_mut());
    for url in urls {
        *url = filled(url, project);
    }
}

fn filled(url: &str, project: Option<&str>) -> String {
    let Some(project) = project else { return url.to_owned() };
    PROJECT.iter().fold(url.to_owned(), |url, name| url.replace(name, project))
}

/// The name in a URL in the place of something that is not known here: `$(user_id)s`.
fn unfilled(url: &str) -> Option<&str> {
    let at = ["$(", "%("].iter().filter_map(|opening| url.find(opening)).min()?;
    let end = url[at..].find(")s")?;
    url.get(at..at + end + 2)
}

/// The URL of `service` in the catalog, without a slash at its end.
///
/// If several match (two regions, and none was asked for), it is the first, as with the official client; the run says
/// which URL it talks to.
pub(super) fn choose(catalog: &[Entry], service: &Service) -> Result<String> {
    let kind = &service.kind;
    let entries = keep(
        catalog.iter().collect(),
        Some(kind),
        |entry| entry.kind.as_deref(),
        |wanted| format!("service of type `{wanted}`"),
        "--service-type",
    )?;
    let named = keep(
        entries,
        service.name.as_ref(),
        |entry| entry.name.as_deref(),
        |wanted| format!("service `{wanted}` of type `{}`", kind.value),
        "--service-name",
    )?;
    let endpoints: Vec<&Endpoint> = named.iter().flat_map(|entry| &entry.endpoints).collect();
    let faced = keep(
        endpoints,
        Some(&service.interface),
        |endpoint| endpoint.interface.as_deref().map(normal),
        |wanted| format!("`{wanted}` endpoint of `{}`", kind.value),
        "--interface",
    )?;
    let placed = keep(
        faced,
        service.region.as_ref(),
        Endpoint::region,
        |wanted| format!("endpoint of `{}` in the region `{wanted}`", kind.value),
        "--region-name",
    )?;
    let first = placed.iter().find_map(|endpoint| endpoint.url.as_deref());
    if let Some((url, name)) = first.and_then(|url| Some((url, unfilled(url)?))) {
        return Err(Error::input(format!(
            "the URL of `{}` in the catalog, `{url}`, has `{name}` in it, which is not known here",
            kind.value
        ))
        .hint("write the URL out in Keystone (`openstack endpoint set --url`), or give it with `--endpoint`"));
    }
    first.map(|url| url.trim().trim_end_matches('/').to_owned()).ok_or_else(|| {
        let interface = &service.interface.value;
        Error::input(format!("the `{interface}` endpoint of `{}` in the catalog has no URL", kind.value))
            .hint("give it one in Keystone (`openstack endpoint set --url`), or give the URL with `--endpoint`")
    })
}

/// The URL of a service other than Coriolis, at the same interface and in the same region.
pub(super) fn choose_other(catalog: &[Entry], kind: &str, coriolis: &Service) -> Result<String> {
    let kind = Sourced { value: kind.to_owned(), ..coriolis.kind.clone() };
    if !catalog.iter().any(|entry| entry.kind.as_ref() == Some(&kind.value)) {
        return Err(Error::input(format!("this cloud's catalog has no service of type `{}`", kind.value))
            .hint("without it, its functions cannot be used here"));
    }
    choose(catalog, &Service { kind, name: None, ..coriolis.clone() })
}

/// keystoneauth's old spelling is `publicURL`.
fn normal(interface: &str) -> &str {
    interface.trim_end_matches("URL")
}

/// The entries of `all` whose `field` is `wanted`; all of them if nothing is wanted.
fn keep<'a, T>(
    all: Vec<&'a T>,
    wanted: Option<&Sourced<String>>,
    field: impl Fn(&'a T) -> Option<&'a str>,
    what: impl Fn(&str) -> String,
    flag: &str,
) -> Result<Vec<&'a T>> {
    let Some(wanted) = wanted else { return Ok(all) };
    let kept: Vec<&T> = all.iter().copied().filter(|each| field(each) == Some(wanted.value.as_str())).collect();
    if kept.is_empty() {
        return Err(absent(&what(&wanted.value), wanted, flag, all.into_iter().map(field)));
    }
    Ok(kept)
}

fn absent<'a>(
    what: &str,
    wanted: &Sourced<String>,
    flag: &str,
    existing: impl Iterator<Item = Option<&'a str>>,
) -> Error {
    let existing: Vec<Option<&str>> = existing.collect();
    let unsaid = match existing.iter().filter(|name| name.is_none()).count() {
        0 => String::new(),
        some => format!(", and {some} of which the catalog does not say it"),
    };
    let existing: BTreeSet<&str> = existing.into_iter().flatten().collect();
    let error = Error::input(format!("the catalog has no {what}; it has {}{unsaid}", listed(&existing)));
    let origin = &wanted.origin;
    match suggest(&wanted.value, existing.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{flag} {near}`; the request comes from {origin}")),
        None => error
            .hint(format!("choose with `{flag}`, or give the URL with `--endpoint`; the request comes from {origin}")),
    }
}

fn listed(names: &BTreeSet<&str>) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The URL that `--endpoint` means: version and project are added if they are missing.
pub(super) fn with_project(endpoint: &Sourced<String>, project: Option<&str>) -> Result<String> {
    let whole = filled(endpoint.value.trim(), project);
    let given = whole.trim_end_matches('/');
    if let (Some(name), true) = (unfilled(given), project.is_some()) {
        return Err(Error::input(format!("`{}` has `{name}` in it, which is not known here", endpoint.value))
            .hint(format!("write {} out", endpoint.origin)));
    }
    let url = Url::parse(given).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(url) = url else {
        return Err(Error::input(format!("`{}` is not a URL", endpoint.value))
            .hint(format!("{} looks like `http://host:7667/v1`", endpoint.origin)));
    };
    let parts: Vec<&str> = url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).collect();
    let version = parts.iter().position(|part| is_version(part));
    if version.is_some_and(|at| at + 1 < parts.len()) && unfilled(given).is_none() {
        return Ok(given.to_owned());
    }
    let Some(project) = project else {
        return Err(Error::input(format!("`{}` lacks the project", endpoint.value))
            .hint("write it as `http://host:7667/v1/PROJECT_ID`, or give the project's id with `OS_PROJECT_ID`"));
    };
    Ok(if version.is_some() { format!("{given}/{project}") } else { format!("{given}/v1/{project}") })
}

/// `v1`, `v2.0`.
fn is_version(part: &str) -> bool {
    part.strip_prefix('v').is_some_and(|number| {
        !number.is_empty() && number.chars().all(|character| character.is_ascii_digit() || character == '.')
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::Origin;

    fn sourced(value: &str) -> Sourced<String> {
        Sourced::new(value.to_owned(), Origin::Default)
    }

    fn service(name: Option<&str>, interface: &str, region: Option<&str>) -> Service {
        Service {
            kind: sourced("migration"),
            name: name.map(sourced),
            interface: sourced(interface),
            region: region.map(sourced),
        }
    }

    fn catalog() -> Vec<Entry> {
        let endpoint = |interface: &str, region: &str, url: &str| json!({"id": "e", "interface": interface, "region": region, "region_id": region, "url": url});
        serde_json::from_value(json!([
            {"type": "identity", "name": "keystone", "id": "1", "endpoints": []},
            {"type": "migration", "name": "coriolis", "id": "2", "endpoints": [
                endpoint("public", "One", "http://one/v1/p/"), endpoint("internal", "One", "http://inside/v1/p"),
                endpoint("public", "Two", " http://two/v1/p/ \n")]},
            {"type": "migration", "name": "spare", "id": "3", "endpoints": [endpoint("public", "Three", "http://spare/v1/p")]},
        ]))
        .unwrap()
    }

    fn complaint(service: Service) -> String {
        let error = choose(&catalog(), &service).expect_err("nothing fits");
        format!("{} | {}", error.message, error.hint.unwrap_or_default())
    }

    #[test]
    fn type_name_interface_and_region_choose_one_url() {
        let url = |name, interface, region| choose(&catalog(), &service(name, interface, region)).unwrap();
        assert_eq!(url(None, "public", Some("One")), "http://one/v1/p");
        assert_eq!(url(None, "internal", None), "http://inside/v1/p");
        assert_eq!(url(None, "public", Some("Two")), "http://two/v1/p");
        assert_eq!(url(Some("spare"), "public", None), "http://spare/v1/p");
        assert_eq!(url(Some("coriolis"), "public", None), "http://one/v1/p", "the first of two regions");
    }

    #[test]
    fn an_odd_entry_is_passed_over_and_told_where_it_is_the_wanted_one() {
        let odd = json!([
            null, 7, {}, {"type": null, "name": "odd", "endpoints": []}, {"type": 3, "endpoints": {}},
            {"type": "object-store", "name": null, "endpoints": null},
            {"type": "image", "endpoints": [null, {"interface": null}, {"url": null, "interface": "public"}]},
        ]);
        let with = |entry: Value| -> Vec<Entry> {
            let all = odd.as_array().unwrap().iter().cloned().chain([entry]).collect();
            list(Value::Array(all)).unwrap()
        };
        let migration = |name: Value, endpoints: Value| json!({"type": "migration", "name": name, "id": null, "endpoints": endpoints});
        let wanted = service(None, "public", None);
        let url = json!([{"interface": "public", "url": null}, {"interface": "public", "url": "http://one/v1/p", "region": null}]);
        assert_eq!(choose(&with(migration(Value::Null, url)), &wanted).unwrap(), "http://one/v1/p");
        let complaint = |entry: Value, wanted: &Service| choose(&with(entry), wanted).expect_err("it is odd").message;
        let one = |endpoint: Value| migration(json!("coriolis"), json!([endpoint]));
        assert_eq!(
            [
                complaint(one(json!({"interface": "public", "url": null})), &wanted),
                complaint(one(json!({"interface": null, "url": "http://one"})), &wanted),
                complaint(
                    one(json!({"interface": "public", "url": "http://one"})),
                    &service(None, "public", Some("One"))
                ),
                complaint(migration(json!("coriolis"), Value::Null), &wanted),
                complaint(migration(Value::Null, json!([])), &service(Some("coriolis"), "public", None)),
                complaint(json!({"name": "coriolis", "endpoints": []}), &wanted),
            ],
            [
                "the `public` endpoint of `migration` in the catalog has no URL",
                "the catalog has no `public` endpoint of `migration`; it has none, and 1 of which the catalog does not say it",
                "the catalog has no endpoint of `migration` in the region `One`; it has none, and 1 of which the catalog does not say it",
                "the catalog has no `public` endpoint of `migration`; it has none",
                "the catalog has no service `coriolis` of type `migration`; it has none, and 1 of which the catalog does not say it",
                "the catalog has no service of type `migration`; it has `image`, `object-store`, and 4 of which the catalog does not say it",
            ]
        );
        for nothing in [Value::Null, json!({}), json!("none")] {
            assert!(list::<_, Entry>(nothing).unwrap().is_empty());
        }
    }

    #[test]
    fn another_service_is_looked_for_at_the_same_interface() {
        let coriolis = service(Some("coriolis"), "public", Some("Three"));
        assert_eq!(choose_other(&catalog(), "migration", &coriolis).unwrap(), "http://spare/v1/p");
        let error = choose_other(&catalog(), "key-manager", &coriolis).expect_err("there is none");
        assert_eq!(error.message, "this cloud's catalog has no service of type `key-manager`");
    }

    #[test]
    fn what_the_catalog_lacks_is_told_with_what_it_has() {
        let wrong_kind = Service { kind: sourced("migrations"), ..service(None, "public", None) };
        assert_eq!(
            [
                complaint(wrong_kind),
                complaint(service(Some("corioli"), "public", None)),
                complaint(service(None, "admin", None)),
                complaint(service(None, "public", Some("RegionNine"))),
            ],
            [
                "the catalog has no service of type `migrations`; it has `identity`, `migration` | did you mean \
                 `--service-type migration`; the request comes from the default",
                "the catalog has no service `corioli` of type `migration`; it has `coriolis`, `spare` | did you mean \
                 `--service-name coriolis`; the request comes from the default",
                "the catalog has no `admin` endpoint of `migration`; it has `internal`, `public` | choose with \
                 `--interface`, or give the URL with `--endpoint`; the request comes from the default",
                "the catalog has no endpoint of `migration` in the region `RegionNine`; it has `One`, `Three`, `Two` \
                 | choose with `--region-name`, or give the URL with `--endpoint`; the request comes from the default",
            ]
        );
    }

    #[test]
    fn an_endpoint_gets_the_version_and_project_that_it_lacks() {
        let url = |given: &str| with_project(&sourced(given), Some("p1")).unwrap();
        for given in ["http://h:7667", "http://h:7667/", "http://h:7667/v1", "http://h:7667/v1/", "http://h:7667/v1/p1"]
        {
            assert_eq!(url(given), "http://h:7667/v1/p1", "{given}");
        }
        assert_eq!(url("https://h/coriolis/"), "https://h/coriolis/v1/p1");
        assert_eq!(url("https://h/coriolis/v1/other"), "https://h/coriolis/v1/other");
    }

    #[test]
    fn a_url_may_name_the_project_in_the_place_of_its_id() {
        for name in PROJECT {
            let given = format!("http://h:7667/v1/{name}/");
            assert_eq!(with_project(&sourced(&given), Some("p1")).unwrap(), "http://h:7667/v1/p1");
            let told = with_project(&sourced(&given), None).expect_err("no project").message;
            assert_eq!(told, format!("`{given}` lacks the project"));
            let one = |kind: &str| json!({"type": kind, "endpoints": [{"interface": "public", "url": given}]});
            let mut catalog: Vec<Entry> =
                serde_json::from_value(json!([one("migration"), one("key-manager")])).unwrap();
            fill(&mut catalog, Some("p1"));
            assert_eq!(choose(&catalog, &service(None, "public", None)).unwrap(), "http://h:7667/v1/p1");
            assert_eq!(
                choose_other(&catalog, "key-manager", &service(None, "public", None)).unwrap(),
                "http://h:7667/v1/p1"
            );
        }
        let odd = "http://h:7667/v1/$(user_id)s";
        let told = with_project(&sourced(odd), Some("p1")).expect_err("it is not known").message;
        assert_eq!(told, format!("`{odd}` has `$(user_id)s` in it, which is not known here"));
        let catalog = json!([{"type": "migration", "endpoints": [{"interface": "public", "url": odd}]}]);
        let catalog: Vec<Entry> = serde_json::from_value(catalog).unwrap();
        assert_eq!(
            choose(&catalog, &service(None, "public", None)).expect_err("it is not known").message,
            format!("the URL of `migration` in the catalog, `{odd}`, has `$(user_id)s` in it, which is not known here")
        );
    }

    #[test]
    fn an_endpoint_without_project_or_scheme_is_refused() {
        let complaint = |given: &str| with_project(&sourced(given), None).expect_err("incomplete").message;
        assert_eq!(complaint("http://h:7667/v1"), "`http://h:7667/v1` lacks the project");
        assert_eq!(complaint("h:7667"), "`h:7667` is not a URL");
        assert_eq!(with_project(&sourced("http://h/v1/p"), None).unwrap(), "http://h/v1/p");
    }
}
