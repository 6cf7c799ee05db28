use std::io;

use secrecy::ExposeSecret;

use super::*;
use crate::error;

const CLOUDS: &str = "
clouds:
  lab:
    auth:
      auth_url: https://lab:5000/v3
      username: anna
      project_name: 4711
      user_domain_name: People
      project_domain_id: default
    region_name: North
    identity_api_version: 2
    cacert: ~/lab.pem
    verify: no
  robot:
    auth_type: v3applicationcredential
    auth: {auth_url: https://lab:5000, application_credential_id: ac1, project_name: ignored}
    interface: internalURL
    migration_service_name: spare
  vendored: {profile: big, auth: {token: t0}}
";
const SECURE: &str = "
clouds:
  lab: {auth: {password: 12345}}
  robot: {auth: {application_credential_secret: robot-secret}}
";
const PUBLIC: &str = "
public-clouds:
  big: {auth: {auth_url: https://big/v3, username: none}, region_name: South}
";

const ODD: &str = "
clouds:
  nowhere: {profile: unheard-of, auth: {username: anna, password: pw, project_id: p1}}
  somewhere: {profile: unheard-of, cert: c.pem, auth: {auth_url: http://h/v3, username: anna, password: pw, project_id: p1}}
  shape: {auth: [sesame-1]}
  list: {auth: {auth_url: http://h/v3, username: anna, password: [sesame-2], project_id: p1}}
  regions: {auth: {auth_url: http://h/v3, username: anna, password: pw, project_id: p1}, regions: [North, South]}
  odd-regions: {auth: {auth_url: http://h/v3}, regions: [{values: {}}]}
  word: sesame-3
  bare: {auth: {username: anna, password: pw, project_id: p1}}
  pigeon: {auth_type: v3oidcpassword, auth: {auth_url: http://h/v3}}
";

/// The cloud that `coriolis-run FLAGS` finds in `/plan`, with the files of the personal folder there.
fn given(flags: &[&str], environment: &[(&str, &str)]) -> Result<Cloud> {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: CloudFlags,
    }
    let words = ["coriolis-run"].iter().chain(flags);
    let line = <Line as clap::Parser>::try_parse_from(words).unwrap();
    let environment: BTreeMap<String, String> = [("HOME", "/home/anna")]
        .iter()
        .chain(environment)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let read = |path: &Path| match path.to_str().unwrap() {
        "/home/anna/.config/openstack/clouds.yaml" => Ok(CLOUDS.into()),
        "/home/anna/.config/openstack/secure.yaml" => Ok(SECURE.into()),
        "/home/anna/.config/openstack/clouds-public.yaml" => Ok(PUBLIC.into()),
        "/plan/broken.yaml" => Ok("clouds: [".into()),
        "/plan/odd.yaml" => Ok(ODD.into()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    cloud(&line.flags, &environment, Path::new("/plan"), &read)
}

/// The settings in one line each: value and origin, secrets in clear.
fn shown(cloud: &Cloud) -> Vec<String> {
    let say = |what: &str, value: &Sourced<String>| format!("{what} {} ({})", value.value, value.origin);
    let secret =
        |what: &str, value: &Sourced<Secret>| format!("{what} {} ({})", value.value.expose_secret(), value.origin);
    let named = |what: &str, named: &Named| match named {
        Named::Id(id) => vec![say(&format!("{what} id"), id)],
        Named::Name { name, domain: Domain::Id(id) } => vec![say(what, name), say("domain id", id)],
        Named::Name { name, domain: Domain::Name(domain) } => vec![say(what, name), say("domain", domain)],
    };
    let Login::Keystone { auth_url, credential, project, .. } = &cloud.login else {
        return vec!["no login".to_owned()];
    };
    let mut lines = vec![say("url", auth_url)];
    match credential {
        Credential::Password { user, password } => {
            lines.extend(named("user", user));
            lines.push(secret("password", password));
        }
        Credential::Token { token } => lines.push(secret("token", token)),
        Credential::ApplicationCredential { id, secret: value } => {
            lines.extend([say("credential id", id), secret("secret", value)]);
        }
        Credential::NamedApplicationCredential { name, user, secret: value } => {
            lines.push(say("credential", name));
            lines.extend(named("user", user));
            lines.push(secret("secret", value));
        }
    }
    lines.extend(project.iter().flat_map(|project| named("project", project)));
    lines
}

fn found(flags: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
    shown(&given(flags, environment).unwrap())
}

fn complaint(flags: &[&str], environment: &[(&str, &str)]) -> String {
    let error = given(flags, environment).expect_err("something is wrong");
    assert_eq!(error.kind, error::Kind::Input);
    format!("{} | {}", error.message, error.hint.unwrap_or_default())
}

fn messages(cloud: &Cloud) -> Vec<&str> {
    cloud.notes.iter().map(|note| note.message.as_str()).collect()
}

const OPENRC: [(&str, &str); 4] = [
    ("OS_AUTH_URL", "http://h:5000/v2.0"),
    ("OS_USERNAME", "admin"),
    ("OS_PASSWORD", "sesame"),
    ("OS_TENANT_NAME", "old"),
];

#[test]
fn an_old_openrc_is_enough() {
    let lines = found(&[], &OPENRC);
    assert_eq!(
        lines,
        [
            "url http://h:5000/v2.0 (`OS_AUTH_URL` in the environment)",
            "user admin (`OS_USERNAME` in the environment)",
            "domain Default (the default)",
            "password sesame (`OS_PASSWORD` in the environment)",
            "project old (`OS_TENANT_NAME` in the environment)",
            "domain Default (the default)",
        ]
    );
}

#[test]
fn a_flag_beats_the_environment() {
    let lines = found(&["-U", "bert", "--os-project-id", "p1", "-A", "http://other/v3"], &OPENRC);
    assert_eq!(
        lines,
        [
            "url http://other/v3 (`--os-auth-url`)",
            "user bert (`--os-username`)",
            "domain Default (the default)",
            "password sesame (`OS_PASSWORD` in the environment)",
            "project id p1 (`--os-project-id`)",
        ]
    );
}

#[test]
fn a_cloud_named_by_flag_beats_the_environment_and_reads_its_secrets_beside() {
    let cloud = given(&["--os-cloud", "lab"], &OPENRC).unwrap();
    let file = "in `/home/anna/.config/openstack/clouds.yaml`";
    assert_eq!(
        shown(&cloud),
        [
            format!("url https://lab:5000/v3 (`auth.auth_url` {file})"),
            format!("user anna (`auth.username` {file})"),
            format!("domain People (`auth.user_domain_name` {file})"),
            "password 12345 (`auth.password` in `/home/anna/.config/openstack/secure.yaml`)".to_owned(),
            format!("project 4711 (`auth.project_name` {file})"),
            format!("domain id default (`auth.project_domain_id` {file})"),
        ]
    );
    assert_eq!(cloud.service.region.unwrap().value, "North");
    assert_eq!(cloud.trust.cacert.unwrap().value, Path::new("/home/anna/lab.pem"));
    assert!(cloud.trust.insecure, "`verify: no` is false to Python");
}

#[test]
fn the_environment_beats_a_cloud_named_in_the_environment() {
    let lines = found(&[], &[("OS_CLOUD", "lab"), ("OS_USERNAME", "bert"), ("OS_PROJECT_ID", "p1")]);
    assert_eq!(lines[1], "user bert (`OS_USERNAME` in the environment)");
    assert_eq!(lines[4], "project id p1 (`OS_PROJECT_ID` in the environment)");
}

#[test]
fn an_application_credential_has_no_scope_and_the_file_chooses_the_service() {
    let cloud = given(&["--os-cloud", "robot"], &OPENRC).unwrap();
    let lines = shown(&cloud);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1].starts_with("credential id ac1 "), "{lines:?}");
    assert!(lines[2].starts_with("secret robot-secret "), "{lines:?}");
    assert_eq!(cloud.service.interface.value, "internal");
    assert_eq!(cloud.service.name.unwrap().value, "spare");
}

#[test]
fn a_profile_fills_what_the_cloud_leaves_open() {
    let cloud = given(&["--os-cloud", "vendored"], &[]).unwrap();
    let public = "in `/home/anna/.config/openstack/clouds-public.yaml`";
    assert_eq!(
        shown(&cloud),
        [
            format!("url https://big/v3 (`auth.auth_url` {public})"),
            "token t0 (`auth.token` in `/home/anna/.config/openstack/clouds.yaml`)".to_owned(),
        ]
    );
    assert_eq!(cloud.service.region.unwrap().value, "South");
}

#[test]
fn a_token_wins_over_what_the_same_place_says_besides() {
    let with = |more: &[(&'static str, &'static str)]| found(&[], &[&OPENRC, more].concat());
    assert_eq!(
        with(&[("OS_TOKEN", "t1"), ("OS_USER_DOMAIN_NAME", "x")])[1],
        "token t1 (`OS_TOKEN` in the environment)"
    );
    assert_eq!(with(&[("OS_AUTH_TOKEN", "t2")])[1], "token t2 (`OS_AUTH_TOKEN` in the environment)");
    assert_eq!(
        with(&[("OS_TOKEN", "t1"), ("OS_AUTH_TYPE", "v3password")])[3],
        "password sesame (`OS_PASSWORD` in the environment)"
    );
}

#[test]
fn the_version_of_keystone_is_asked_for_by_number_or_by_the_name_of_a_plugin() {
    let version = |flags: &[&str], more: &[(&'static str, &'static str)]| match given(flags, &[&OPENRC, more].concat())
        .unwrap()
        .login
    {
        Login::Keystone { version, .. } => version,
        Login::None { .. } => unreachable!("there is a login"),
    };
    let number = |number: &'static str| version(&[], &[("OS_IDENTITY_API_VERSION", number)]);
    assert_eq!(["2", "2.0", "v2.0"].map(number), [IdentityVersion::Two; 3]);
    assert_eq!(["", "3", "v3", "3.14"].map(number), [IdentityVersion::Three; 4]);
    assert_eq!(version(&["--os-identity-api-version", "2"], &[]), IdentityVersion::Two);
    assert_eq!(version(&[], &[("OS_AUTH_TYPE", "v2password")]), IdentityVersion::Two);
    assert_eq!(version(&["--os-cloud", "lab"], &[]), IdentityVersion::Two, "from clouds.yaml");
    assert_eq!(
        complaint(&[], &[&OPENRC[..], &[("OS_IDENTITY_API_VERSION", "4")]].concat()),
        "Keystone has no version `4`, which `OS_IDENTITY_API_VERSION` in the environment asks for | write `3` or `2`, \
         or leave it out"
    );
}

#[test]
fn coriolis_variables_choose_the_service_before_the_general_ones() {
    let more = [
        ("CORIOLIS_REGION_NAME", "North"),
        ("OS_REGION_NAME", "South"),
        ("OS_INTERFACE", "admin"),
        ("CORIOLIS_SERVICE_TYPE", "migration-lab"),
        ("CORIOLIS_ENDPOINT", "http://c:7667"),
        ("OS_CACERT", "ca.pem"),
    ];
    let cloud = given(&["--service-name", "spare"], &[&OPENRC[..], &more].concat()).unwrap();
    let service = cloud.service;
    assert_eq!(service.region.unwrap().value, "North");
    assert_eq!(service.interface.value, "admin");
    assert_eq!(service.kind.value, "migration-lab");
    assert_eq!(service.name.unwrap().value, "spare");
    assert_eq!(cloud.endpoint.unwrap().value, "http://c:7667");
    assert_eq!(
        cloud.trust,
        Trust { cacert: Some(Sourced::new("/plan/ca.pem".into(), Origin::Environment("OS_CACERT"))), insecure: false }
    );
}

#[test]
fn no_auth_needs_an_endpoint_and_nothing_of_keystone() {
    let cloud = given(&["-N", "-E", "http://c:7667/v1/p1"], &[]).unwrap();
    assert_eq!(shown(&cloud), ["no login"]);
    assert_eq!(
        complaint(&["--no-auth"], &OPENRC),
        "`--no-auth` needs the URL of the server, as no catalog can be asked for it | add `--endpoint \
         http://host:7667/v1/PROJECT_ID` (or set `CORIOLIS_ENDPOINT`)"
    );
}

#[test]
fn all_that_is_missing_is_told_at_once() {
    assert_eq!(
        complaint(&[], &[]),
        "no cloud to log in to is given | set `OS_AUTH_URL`, `OS_USERNAME` or `OS_USER_ID`, `OS_PASSWORD`, \
         `OS_PROJECT_NAME` or `OS_PROJECT_ID`, as an openrc file does, or name a cloud of clouds.yaml with \
         `--os-cloud` (`lab`, `robot`, `vendored`), or rehearse with `--sandbox`, which needs nothing"
    );
    assert_eq!(
        complaint(
            &[],
            &[("OS_AUTH_URL", "http://h"), ("OS_USERNAME", "admin"), ("OS_PROJECT_NAME", "p"), ("OS_PASSWORD", "")]
        ),
        "`OS_PASSWORD` is not set | set `OS_PASSWORD`, as an openrc file does, or name a cloud of clouds.yaml with \
         `--os-cloud` (`lab`, `robot`, `vendored`), or rehearse with `--sandbox`, which needs nothing"
    );
}

#[test]
fn a_cloud_that_does_not_exist_is_told_with_those_that_do() {
    let file = "`/home/anna/.config/openstack/clouds.yaml`";
    assert_eq!(
        complaint(&["--os-cloud", "labb"], &[]),
        format!("`--os-cloud` asks for the cloud `labb`, which is not in {file} | did you mean `lab`")
    );
    assert_eq!(
        complaint(&[], &[("OS_CLOUD", "elsewhere")]),
        format!(
            "`OS_CLOUD` in the environment asks for the cloud `elsewhere`, which is not in {file} | it holds \
             `lab`, `robot`, `vendored`"
        )
    );
    assert_eq!(
        complaint(&["--os-cloud", "lab"], &[("OS_CLIENT_CONFIG_FILE", "none.yaml")]),
        "`--os-cloud` asks for the cloud `lab`, and there is no clouds.yaml | make one of `/plan/none.yaml`, or set \
         `OS_CLIENT_CONFIG_FILE`"
    );
    let broken = complaint(&["--os-cloud", "lab"], &[("OS_CLIENT_CONFIG_FILE", "broken.yaml")]);
    assert!(broken.starts_with("`/plan/broken.yaml` is not valid YAML at line 2"), "{broken}");
}

#[test]
fn secrets_are_not_shown_by_debug() {
    let cloud = given(&["--os-cloud", "lab"], &[]).unwrap();
    assert!(!format!("{cloud:?}").contains("12345"));
}

#[test]
fn what_a_file_has_wrong_is_told_by_its_key_and_never_by_its_value() {
    let odd = [("OS_CLIENT_CONFIG_FILE", "odd.yaml")];
    assert_eq!(
        [
            complaint(&["--os-cloud", "nowhere"], &odd),
            complaint(&["--os-cloud", "shape"], &odd),
            complaint(&["--os-cloud", "list"], &odd),
            complaint(&["--os-cloud", "odd-regions"], &odd),
            complaint(&["--os-cloud", "regions", "--region-name", "south"], &odd),
            complaint(&["--os-cloud", "word"], &odd),
            complaint(&["--os-cloud", "bare"], &odd),
            complaint(&["--os-cloud", "pigeon"], &odd),
        ],
        [
            "cloud `nowhere` has the profile `unheard-of`, which is in no clouds-public.yaml | write the settings of \
             the profile into the cloud itself; vendors' profiles are not built in",
            "`auth` of cloud `shape` in `/plan/odd.yaml` must be a map | ",
            "`auth.password` of cloud `list` in `/plan/odd.yaml` must be a single value | ",
            "`regions` of cloud `odd-regions` in `/plan/odd.yaml` must be a list of names, or of maps with `name` and \
             `values` | ",
            "cloud `regions` in `/plan/odd.yaml` has no region `south`, which `--region-name` asks for | did you mean \
             `South`?",
            "the cloud `word` in `/plan/odd.yaml` must be a map | ",
            "`OS_AUTH_URL` is not set, and the cloud `bare` does not say it | write it below the cloud's `auth` in \
             clouds.yaml (a password in secure.yaml beside it)",
            "cannot log in by `v3oidcpassword`, which `auth_type` in `/plan/odd.yaml` asks for | supported are \
             `password`, `token` and `v3applicationcredential`; with another one get a token (`openstack token issue`) \
             and give it as `OS_TOKEN` with `OS_AUTH_TYPE=token`",
        ]
    );
    assert_eq!(
        messages(&given(&["--os-cloud", "somewhere"], &odd).unwrap()),
        [
            "cloud `somewhere` has the profile `unheard-of`, which is in no clouds-public.yaml: the profile is not \
             used",
            "`cert` in `/plan/odd.yaml` is not used: certificates of clients are not supported",
        ]
    );
}

#[test]
fn an_openrc_with_windows_line_ends_is_read_and_told() {
    let returns = OPENRC.map(|(name, value)| (name, format!("{value}\r")));
    let returns: Vec<(&str, &str)> = returns.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(found(&[], &returns), found(&[], &OPENRC));
    assert_eq!(
        messages(&given(&[], &returns).unwrap()),
        ["`OS_AUTH_URL`, `OS_USERNAME`, `OS_PASSWORD`, `OS_TENANT_NAME` in the environment end in a carriage return, \
          which is left out: the openrc file has Windows line ends"]
    );
    assert_eq!(given(&[], &[("OS_CLOUD", "robot\r")]).unwrap().service.interface.value, "internal");
}

#[test]
fn quotes_that_no_shell_took_away_are_told() {
    let with = |more: &[(&'static str, &'static str)]| given(&[], &[&OPENRC, more].concat()).unwrap();
    let quoted = with(&[("OS_USERNAME", "\"admin\""), ("OS_PASSWORD", "'sesame'"), ("OS_REGION_NAME", "\"")]);
    assert_eq!(
        quoted.notes,
        [Note {
            message: "`OS_USERNAME`, `OS_PASSWORD` in the environment stand in quotes, which are used as a part of them".into(),
            hint: Some(
                "leave the quotes out where no shell reads the file, as with `docker run --env-file`; a shell takes them away"
                    .into()
            ),
        }]
    );
    assert_eq!(quoted.secret(), Some("'sesame'"));
    let flag = given(&["--os-username", "anna"], &[&OPENRC[..], &[("OS_USERNAME", "'admin'")]].concat()).unwrap();
    assert_eq!(messages(&flag), [""; 0], "it is not used");
}

#[test]
fn a_name_in_braces_is_a_setting_of_the_cloud() {
    let known = |name: &str| Ok((name == "site").then(|| "east".to_owned()));
    let filled = |text: &str| file::filled(text, known).unwrap();
    assert_eq!(filled("http://{site}.h/{{x}}"), Ok("http://east.h/{x}".into()));
    for (text, name) in [("{nothing}", "{nothing}"), ("{}", "{}"), ("a{", "{"), ("a}b", "}"), ("{site!r}", "{site!r}")]
    {
        assert_eq!(filled(text), Err(name.into()), "{text}");
    }
}

#[test]
fn one_domain_serves_user_and_project() {
    let with = |more: &[(&'static str, &'static str)]| found(&[], &[&OPENRC, more].concat());
    let lines = with(&[("OS_DOMAIN_NAME", "acme")]);
    assert_eq!((lines[2].as_str(), &lines[5]), ("domain acme (`OS_DOMAIN_NAME` in the environment)", &lines[2]));
    let lines = with(&[("OS_DOMAIN_ID", "d1"), ("OS_USER_DOMAIN_NAME", "People"), ("OS_DEFAULT_DOMAIN", "d2")]);
    assert_eq!(lines[2], "domain People (`OS_USER_DOMAIN_NAME` in the environment)");
    assert_eq!(lines[5], "domain id d1 (`OS_DOMAIN_ID` in the environment)");
    let lines = with(&[("OS_DEFAULT_DOMAIN", "d2")]);
    assert_eq!(lines[5], "domain id d2 (`OS_DEFAULT_DOMAIN` in the environment)");
}

#[test]
fn an_environment_that_overrides_the_named_cloud_is_told_with_what_to_unset() {
    let said = |flags: &[&str], more: &[(&str, &str)]| {
        let cloud = given(flags, more).unwrap();
        cloud.notes.into_iter().map(|note| (note.message, note.hint.unwrap_or_default())).collect::<Vec<_>>()
    };
    let with = |more: &[(&'static str, &'static str)]| said(&[], &[&[("OS_CLOUD", "lab")], more].concat());
    let complaint = |parts: &str, variables: &str| {
        let hint = format!(
            "`unset {variables}` to use the cloud as clouds.yaml has it; leave the name of the cloud out to use the \
             environment"
        );
        vec![(format!("cloud `lab` is overridden by the environment: {parts}"), hint)]
    };
    let none = Vec::new();
    // The environment agrees, or says nothing.
    assert_eq!(with(&[]), none);
    assert_eq!(with(&[("OS_AUTH_URL", "https://LAB:5000/"), ("OS_USERNAME", "anna"), ("OS_PASSWORD", "p")]), none);
    assert_eq!(with(&[("OS_PROJECT_ID", "p1"), ("OS_PROJECT_NAME", "4711")]), none, "the same by its name");
    assert_eq!(with(&[("OS_REGION_NAME", "South"), ("OS_CACERT", "ca.pem")]), none, "no other cloud");
    // It means another one.
    assert_eq!(
        with(&OPENRC),
        complaint(
            "auth URL `http://h:5000/v2.0` (`OS_AUTH_URL`) in place of `https://lab:5000/v3`, user `admin` \
             (`OS_USERNAME`) in place of `anna`, project `old` (`OS_TENANT_NAME`) in place of `4711`",
            "OS_AUTH_URL OS_USERNAME OS_PASSWORD OS_TENANT_NAME",
        )
    );
    assert_eq!(
        with(&[("OS_AUTH_URL", "https://u:planted-one@h/v3")]),
        complaint("auth URL `https://u:***@h/v3` (`OS_AUTH_URL`) in place of `https://lab:5000/v3`", "OS_AUTH_URL")
    );
    assert_eq!(
        with(&[("OS_PROJECT_ID", "p1")]),
        complaint("project `p1` (`OS_PROJECT_ID`) in place of `4711`", "OS_PROJECT_ID")
    );
    assert_eq!(
        with(&[("OS_TOKEN", "planted-two"), ("OS_USER_DOMAIN_NAME", "x")]),
        complaint("user a token (`OS_TOKEN`) in place of `anna`", "OS_TOKEN OS_USER_DOMAIN_NAME")
    );
    // A cloud named by a flag comes first; settings that it omits may be another cloud's.
    assert_eq!(said(&["--os-cloud", "lab"], &OPENRC), none);
    assert_eq!(said(&["--os-auth-url", "https://meant/v3"], &[("OS_CLOUD", "lab")]), none, "flags are meant");
    assert_eq!(
        said(&["--os-cloud", "vendored"], &[&OPENRC[..], &[("OS_PROJECT_ID", "p1")]].concat()),
        [(
            "cloud `vendored` is at `https://big/v3`, and the environment is for `http://h:5000/v2.0`: `OS_TENANT_NAME`, \
             `OS_PROJECT_ID` of it are used for what the cloud leaves out"
                .to_owned(),
            "`unset OS_AUTH_URL OS_TENANT_NAME OS_PROJECT_ID`, and write into clouds.yaml what is missing there".to_owned()
        )]
    );
    assert_eq!(said(&["--os-cloud", "robot"], &OPENRC), none, "it has its project in itself");
    assert_eq!(said(&[], &OPENRC), none, "no cloud is named");
}
