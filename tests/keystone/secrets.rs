//! Secrets in a real Barbican, and a sandbox that must answer as that does.

use std::collections::BTreeMap;
use std::time::Duration;

use coriolis_run::clock::{Clock, Speed};
use coriolis_run::model::Generation;
use coriolis_run::sandbox::{self, Scenario};
use regex::Regex;
use serde_json::{Value, json};

use crate::runs::{openrc, run};
use crate::world::{Tenant, World, world};

/// Runs a script as a new tenant whose Coriolis is the stand-in; nothing it says may hold what was kept.
fn ran(name: &str, script: &str, code: i32) -> (String, String) {
    ran_as(&world().tenant(), name, script, code)
}

#[track_caller]
fn ran_as(tenant: &Tenant, name: &str, script: &str, code: i32) -> (String, String) {
    let world = world();
    let mut environment = openrc(world, tenant, &world.coriolis);
    environment.push(("OS_REGION_NAME", "RegionOne"));
    let (ended, stdout, stderr) = run(name, script, &environment);
    let leaks = |text: &str| text.contains("planted") || text.contains(&tenant.password);
    assert!(!leaks(&stdout) && !leaks(&stderr), "a secret is shown: {stdout}{stderr}");
    assert_eq!(ended, code, "{stdout}{stderr}");
    (stdout, stderr)
}

#[test]
fn a_secret_is_stored_found_read_and_deleted() {
    let script = r#"
        let kept = secret_store(#{ name: "vcenter", payload: #{ host: "vc", password: "planted-password" } });
        secret_store(#{ name: "another", payload: "planted ✓" });
        print([kept.keys(), secret_list().len(), secret_list(#{ name: "vcenter" })[0].secret_ref == kept.secret_ref]);
        let shown = secret_get(kept.secret_ref);
        print([shown.name, shown.status, shown.content_types]);
        let payload = secret_payload(kept);
        print([payload, `${payload}`]);
        let again = secret_store(#{ payload: payload });
        print([secret_get(again).name, secret_list(#{ name: "nothing" })]);
        secret_delete(again);
        secret_delete(kept);
        print(secret_list().map(|secret| secret.name));
        secret_store(#{ name: " a+b 100% & ü ", payload: "planted" });
        print(secret_list(#{ name: " a+b 100% & ü " }).map(|secret| secret.name));
    "#;
    let (stdout, _) = ran("secret", script, 0);
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(
        lines,
        [
            r#"[["secret_ref"], 2, true]"#,
            r#"["vcenter", "ACTIVE", #{"default": "text/plain"}]"#,
            r#"[***, "***"]"#,
            "[(), []]",
            r#"["another"]"#,
            r#"["a+b 100% & ü"]"#,
        ]
    );
}

#[test]
fn an_endpoint_connects_with_what_barbican_keeps_for_it() {
    let script = r#"
        let connection = #{ host: "vc", password: "planted-password" };
        let secret = secret_store(#{ name: "vc", payload: connection });
        let id = secret.secret_ref.split("/").pop();
        for options in [#{ connection_secret: secret }, #{ connection_secret: id }, #{ connection: connection, store_connection: true }] {
            let endpoint = endpoint_create(#{ name: "lab", provider: "vmware_vsphere" } + options);
            print([endpoint.connection_info.keys(), endpoint.validation.valid, endpoint.validation.message]);
        }
        print(secret_list().map(|secret| secret.name));
        secret_delete(secret);
        print(endpoint_create(#{ name: "lab", provider: "vmware_vsphere", connection_secret: secret }).validation.message);
    "#;
    let (stdout, _) = ran("endpoint", script, 0);
    let made = r#"[["secret_ref"], true, "it is for \"vc\""]"#;
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines, [made, made, made, r#"["vc", "lab"]"#, "the secret answers 404"]);
}

#[test]
fn what_barbican_refuses_is_told_and_can_be_caught() {
    let script = r#"
        fn told(what) { try { what.call() } catch (e) { print(`${e.kind}: ${e.message}`); } }
        fn long(length) { let text = "planted"; text.pad(length, '*'); text }
        let secret = secret_store(#{ payload: "planted-payload" });
        secret_delete(secret);
        for gone in [secret, "11111111-1111-4111-8111-111111111111", "http://elsewhere/v1/secrets/nonsense"] {
            told(|| secret_get(gone));
            told(|| secret_payload(gone));
            told(|| secret_delete(gone));
        }
        for payload in ["", "  ", long(20001), long(30000)] {
            told(|| secret_store(#{ payload: payload }));
        }
    "#;
    let (stdout, _) = ran("refused-secrets", script, 0);
    let random = Regex::new(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap();
    let stdout = random.replace_all(&stdout, "ID");
    let lines: Vec<&str> = stdout.lines().map(|line| line.trim_end_matches(" (request req-ID)")).collect();
    let gone = [
        "not_found: GET v1/secrets/ID: 404 Secret not found.",
        "not_found: GET v1/secrets/ID/payload: 404 Secret not found.",
        "not_found: DELETE v1/secrets/ID: 404 Secret not found.",
    ];
    assert_eq!(lines[..6], [gone, gone].concat());
    assert_eq!(
        lines[6..],
        [
            "not_found: GET v1/secrets/nonsense: 404 Not Found. Provided secret id is invalid.",
            "not_found: GET v1/secrets/nonsense/payload: 404 Not Found. Provided secret id is invalid.",
            "not_found: DELETE v1/secrets/nonsense: 404 Not Found. Provided secret id is invalid.",
            "script: an empty secret cannot be stored",
            "api: POST v1/secrets: 400 Provided object does not match schema 'Secret': If 'payload' specified, must be \
             non empty. Invalid property: 'payload'",
            "api: POST v1/secrets: 413 Provided information too large to process",
            "api: POST v1/secrets: 400 Malformed JSON",
        ]
    );
}

#[test]
fn who_may_only_look_or_is_of_another_project_is_refused() {
    let script = r#"let secret = secret_store(#{ payload: "planted-payload" }); print(secret.secret_ref);"#;
    let reference = ran("owner", script, 0).0.trim_end().to_owned();
    let script = format!(
        r#"try {{ print(secret_list().len()); }} catch (e) {{ print(e.status); }}
           try {{ secret_store(#{{ payload: "planted-payload" }}); }} catch (e) {{ print(e.status); }}
           try {{ secret_payload("{reference}"); }} catch (e) {{ print(e.status); }}"#
    );
    assert_eq!(ran("stranger", &script, 0).0, "0\n403\n");
    assert_eq!(ran_as(&world().reader(), "reader", &script, 0).0, "403\n403\n403\n");
}

#[test]
fn a_list_of_more_than_a_page_is_whole() {
    let script = r#"
        for number in 0..101 { secret_store(#{ name: `secret-${number}`, payload: "planted-payload" }); }
        let names = secret_list().map(|secret| secret.name);
        print([names.len(), names[0], names[100]]);
    "#;
    assert_eq!(ran("pages", script, 0).0, "[101, \"secret-0\", \"secret-100\"]\n");
}

/// One exchange: method, path below `/v1/secrets`, `Accept` and `Content-Type` where they are sent, body.
/// `{id}` is the secret stored last.
type Exchange = (&'static str, &'static str, Option<&'static str>, Option<&'static str>, String);

fn exchanges() -> Vec<Exchange> {
    let json = Some("application/json");
    let text = Some("text/plain");
    let get = |path, accept| ("GET", path, accept, None, String::new());
    let store = |body: Value| ("POST", "", json, json, body.to_string());
    let plain = |more: Value| {
        let mut body = json!({"payload": "p", "payload_content_type": "text/plain"});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        store(body)
    };
    let unknown = "/11111111-1111-4111-8111-111111111111";
    let mut all = vec![get("", json)];
    for more in [
        json!({"name": "n"}),
        json!({}),
        json!({"name": null}),
        json!({"name": ""}),
        json!({"name": "n", "payload": "ü✓"}),
        json!({"payload_content_type": "text/plain;charset=utf-8"}),
        json!({"secret_type": "passphrase"}),
        json!({"expiration": "2099-01-01T00:00:00Z"}),
        json!({"algorithm": "aes", "bit_length": 256, "mode": "cbc"}),
        json!({"something": "else"}),
        json!({"payload": "x".repeat(20_000)}),
    ] {
        all.extend([plain(more), get("/{id}", json), get("/{id}/payload", text)]);
    }
    all.extend([store(json!({"name": "n"})), get("/{id}", json), get("/{id}/payload", text)]);
    all.extend([store(json!({})), get("/{id}", json), get("/{id}/payload", text)]);
    all.extend([
        plain(json!({"payload": null})),
        plain(json!({"payload": ""})),
        plain(json!({"payload": "  "})),
        plain(json!({"payload": 3})),
        plain(json!({"payload": {"a": [1, "b", null, true]}})),
        plain(json!({"payload": "x".repeat(20_001)})),
        plain(json!({"payload": "x".repeat(30_000)})),
        plain(json!({"payload_content_type": null})),
        plain(json!({"payload_content_type": "application/json"})),
        plain(json!({"payload_content_type": "application/octet-stream"})),
        plain(json!({"name": 3})),
        plain(json!({"name": "n".repeat(256)})),
        plain(json!({"algorithm": null})),
        plain(json!({"mode": 1})),
        plain(json!({"bit_length": "many"})),
        plain(json!({"bit_length": 0})),
        plain(json!({"secret_type": "odd"})),
        plain(json!({"secret_type": null})),
        plain(json!({"expiration": "2001-01-01T00:00:00"})),
        plain(json!({"expiration": "tomorrow"})),
        store(json!({"payload": "p"})),
        store(json!({"payload": ""})),
        store(json!([])),
        store(json!("text")),
        store(json!(3)),
        store(json!(null)),
        ("POST", "", json, json, "{".to_owned()),
        ("POST", "", json, json, String::new()),
        ("POST", "", json, text, "{}".to_owned()),
        ("POST", "", json, None, "{}".to_owned()),
        plain(json!({"name": " a+b 100% "})),
        get("/{id}", json),
        get("?name=a%2Bb%20100%25", json),
        get("?name=a%252Bb%20100%2525", json),
        plain(json!({"payload_content_type": "application/octet-stream", "payload_content_encoding": "base64", "payload": "cA=="})),
        get("/{id}", json),
        get("/{id}/payload", text),
        store(json!({"name": "n", "payload_content_type": "text/plain"})),
        plain(json!({"mode": "[coriolis-run main/3:web+01 2.1]"})),
        plain(json!({"name": "last"})),
    ]);
    all.extend([None, Some("*/*"), json, text].map(|accept| get("/{id}", accept)));
    all.extend(
        [None, Some("*/*"), json, text, Some("application/octet-stream")].map(|accept| get("/{id}/payload", accept)),
    );
    for query in [
        "?name=last",
        "?name=nobody",
        "?limit=2",
        "?limit=2&offset=1",
        "?limit=0",
        "?limit=-1",
        "?limit=x",
        "?limit=1000",
        "?offset=3",
        "?offset=1000",
        "?offset=-1",
        "?offset=x",
        "?name=n&limit=1",
        "?limit=3&offset=2&name=n",
        "?mode=cbc",
        "?alg=aes&mode=cbc",
        "?mode=ctr",
        "?mode=%5Bcoriolis-run%20main%2F3%3Aweb%2B01%202.1%5D",
    ] {
        all.push(get(query, json));
    }
    all.extend([
        get("/", json),
        get("/{id}/", json),
        get("", text),
        get(unknown, json),
        get("/11111111-1111-1111-1111-111111111111", json),
        get("/nonsense", json),
        get("/{id}/nonsense", json),
        ("DELETE", "/nonsense", json, None, String::new()),
        ("DELETE", unknown, json, None, String::new()),
        ("DELETE", "", json, None, String::new()),
        ("PATCH", "", json, json, "{}".to_owned()),
        ("POST", "/{id}/payload", json, json, "{}".to_owned()),
        ("DELETE", "/{id}", json, None, String::new()),
        ("DELETE", "/{id}", json, None, String::new()),
        get("/{id}", json),
        get("/{id}/payload", text),
        get("?name=last", json),
    ]);
    all
}

#[test]
fn the_sandbox_answers_as_barbican_does() {
    let world = world();
    let tenant = world.tenant();
    let sandbox = world.block_on(sandbox::serve(sandbox::Options {
        generation: Generation::Current,
        seed: 1,
        scenario: Scenario::default(),
        listen: ([127, 0, 0, 1], 0).into(),
        clock: Clock::new(Speed::Real),
        token_lifetime: Duration::from_secs(3600),
    }));
    let sandbox = sandbox.unwrap();
    let simulated = format!("http://{}/key-manager", sandbox.address());
    let given: BTreeMap<String, String> = sandbox.environment().into_iter().collect();
    let login = Tenant {
        user: given["OS_USERNAME"].clone(),
        user_id: String::new(),
        password: given["OS_PASSWORD"].clone(),
        project: given["OS_PROJECT_NAME"].clone(),
        project_id: sandbox.project(),
    };
    let mut real = Told::new(world, &world.barbican, world.token(&tenant));
    let mut simulated = Told::new(world, &simulated, world.token_at(&given["OS_AUTH_URL"], &login));
    let mut differences = Vec::new();
    let exchanges = exchanges();
    for exchange in &exchanges {
        let (real, simulated) = (real.answer(exchange), simulated.answer(exchange));
        if real != simulated {
            let (method, path, accept, _, body) = exchange;
            let body: String = body.chars().take(100).collect();
            let accept = accept.unwrap_or("-");
            differences.push(format!("{method} {path} {accept} {body}\n  real:    {real}\n  sandbox: {simulated}"));
        }
    }
    assert!(differences.is_empty(), "{} of {} differ\n{}", differences.len(), exchanges.len(), differences.join("\n"));
}

/// What one Barbican tells: status, type and body, with what differs from run to run replaced.
struct Told<'a> {
    world: &'a World,
    base: String,
    token: String,
    /// The secret stored last.
    id: String,
}

impl<'a> Told<'a> {
    fn new(world: &'a World, base: &str, token: String) -> Self {
        Self { world, base: base.to_owned(), token, id: String::new() }
    }

    fn answer(&mut self, (method, path, accept, content, body): &Exchange) -> String {
        let url = format!("{}/v1/secrets{}", self.base, path.replace("{id}", &self.id));
        let mut headers = vec![("X-Auth-Token", self.token.as_str())];
        headers.extend(accept.map(|accept| ("Accept", accept)));
        headers.extend(content.map(|content| ("Content-Type", content)));
        let (status, kind, text) = self.world.exchange(method, &url, &headers, body.clone());
        let parsed: Value = serde_json::from_str(&text).unwrap_or_else(|_| text.clone().into());
        if let Some(reference) = parsed["secret_ref"].as_str().filter(|_| status == 201) {
            self.id = reference.rsplit('/').next().unwrap().to_owned();
        }
        let mut told = format!("{status} {kind} {}", sorted(&parsed)).replace(&self.base, "BASE");
        for (pattern, word) in [
            (r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
            ("[0-9a-f]{32}", "USER"),
            (r"20[1-8][0-9]-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?", "TIME"),
        ] {
            told = Regex::new(pattern).unwrap().replace_all(&told, word).into_owned();
        }
        told
    }
}

/// With the keys of objects in order.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<&String, String> = fields.iter().map(|(key, value)| (key, sorted(value))).collect();
            format!("{fields:?}")
        }
        Value::Array(values) => format!("{:?}", values.iter().map(sorted).collect::<Vec<_>>()),
        plain => plain.to_string(),
    }
}
