//! The simulated Keystone: a user and a colleague, a few projects, one application credential, tokens in wall time.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::rules::{LOGS_PREFIX, TRUTH_PREFIX};
use super::world::licensing;
use super::world::scenario::Scenario;
use super::world::secrets::PREFIX;
use super::world::{Caller, draw};

/// The time for which the service trusts a token that it has validated once.
const CACHED: SignedDuration = SignedDuration::from_secs(300);
/// The name of the second user.
pub(super) const COLLEAGUE: &str = "colleague";
const ROLES: [&str; 5] = ["reader", "member", "creator", "manager", "admin"];

pub(super) struct Keystone {
    seed: u64,
    pub user: User,
    /// Somebody else in the same projects, with the same password.
    colleague: User,
    pub projects: Vec<Project>,
    region: String,
    /// Serves v2.0 instead of v3.
    pub only_v2: bool,
    pub credential: Credential,
    lifetime: SignedDuration,
    tokens: HashMap<String, Token>,
    issued: u64,
    /// `http://127.0.0.1:PORT`, known once the server listens.
    pub base: String,
}

pub(super) struct User {
    pub id: String,
    pub name: String,
    pub password: String,
}

#[derive(Clone)]
pub(super) struct Project {
    pub id: String,
    pub name: String,
}

/// An application credential for the first project.
pub(super) struct Credential {
    pub id: String,
    pub name: String,
    pub secret: String,
    deleted: bool,
}

#[derive(Clone)]
struct Token {
    is_colleagues: bool,
    methods: Vec<&'static str>,
    project: Option<usize>,
    audit_ids: Vec<String>,
    issued: Timestamp,
    expires: Timestamp,
    revoked: bool,
    trusted_until: Option<Timestamp>,
    by_credential: bool,
    system: bool,
}

/// The refusal of a request to Keystone: status, message.
pub(super) struct Denied {
    pub status: u16,
    pub message: String,
    /// The answer to a credential with a scope carries an empty `identity`.
    pub identity: bool,
}

impl Keystone {
    pub(super) fn new(seed: u64, scenario: &Scenario, lifetime: Duration) -> Self {
        let seed = scenario.own.unwrap_or(seed);
        let of = |kind: &str, name: &str| draw(seed, &["keystone", kind, name]);
        let projects: Vec<Project> = scenario
            .projects
            .iter()
            .map(|name| Project { id: of("project", name).hex(), name: name.clone() })
            .collect();
        let password = scenario.password.clone().unwrap_or_else(|| of("password", &scenario.user).secret());
        let user = |name: &str| User { id: of("user", name).hex(), name: name.into(), password: password.clone() };
        Self {
            seed,
            user: user(&scenario.user),
            colleague: user(COLLEAGUE),
            projects,
            region: scenario.region.clone(),
            only_v2: scenario.keystone_v2,
            credential: Credential {
                id: of("credential", "").hex(),
                name: "runbooks".into(),
                secret: of("credential secret", "").secret(),
                deleted: false,
            },
            lifetime: SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::from_hours(1)),
            tokens: HashMap::new(),
            issued: 0,
            base: String::new(),
        }
    }

    /// The owner of a token, as the service's middleware sees it; `None` for a refused one.
    pub(super) fn caller(&mut self, token: &str, now: Timestamp) -> Option<Caller> {
        let found = self.tokens.get_mut(token)?;
        if found.expires <= now {
            return None;
        }
        if found.trusted_until.is_none_or(|until| until <= now) {
            if found.revoked {
                return None;
            }
            found.trusted_until = Some(now + CACHED);
        }
        let project = found.project.map_or_else(String::new, |project| self.projects[project].id.clone());
        let user = if found.is_colleagues { &self.colleague } else { &self.user };
        Some(Caller { project, user: user.id.clone(), delegates: !found.by_credential })
    }

    /// Revokes every token, even those that the service still trusts.
    pub(super) fn revoke_all(&mut self) {
        self.tokens.clear();
    }

    /// POST /v3/auth/tokens: the new token and its body.
    pub(super) fn authenticate(&mut self, body: &Value, now: Timestamp) -> Result<(String, Value), Denied> {
        let Some(auth) = body.get("auth") else { return Err(Denied::lacks("auth in request body")) };
        let Some(identity) = auth.get("identity") else { return Err(Denied::lacks("identity in auth")) };
        let methods: Vec<&str> =
            identity["methods"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let scope = auth.get("scope").filter(|scope| **scope != json!("unscoped"));
        let mut token = Token {
            is_colleagues: false,
            methods: Vec::new(),
            project: None,
            audit_ids: Vec::new(),
            issued: now,
            expires: now + self.lifetime,
            revoked: false,
            trusted_until: None,
            by_credential: false,
            system: false,
        };
        match methods.first() {
            Some(&"password") => self.by_password(&identity["password"], &mut token)?,
            Some(&"token") => self.by_token(&identity["token"], &mut token, now)?,
            Some(&"application_credential") => {
                self.by_credential(&identity["application_credential"], scope.is_some(), &mut token)?;
            }
            _ => return Err(Denied::unauthorized()),
        }
        match scope {
            Some(scope) if scope.get("system").is_some() => token.system = true,
            Some(scope) => token.project = Some(self.scoped(scope)?),
            None => {}
        }
        self.issued += 1;
        let own = draw(self.seed, &["token", &self.issued.to_string()]);
        token.audit_ids.insert(0, draw(self.seed, &["audit", &self.issued.to_string()]).secret()[..22].into());
        let id = format!("gAAAAAB{}{}", own.secret(), draw(self.seed, &["tail", &self.issued.to_string()]).secret());
        let described = self.described(&token, true);
        self.tokens.insert(id.clone(), token);
        Ok((id, described))
    }

    fn by_password(&self, password: &Value, token: &mut Token) -> Result<(), Denied> {
        let user = &password["user"];
        let by_id = user.get("id").is_some();
        if !by_id && user.get("domain").is_none() {
            return Err(Denied::lacks("domain in user"));
        }
        let is = |own: &User| if by_id { user["id"] == own.id } else { user["name"] == own.name };
        token.is_colleagues = !is(&self.user) && is(&self.colleague);
        let known = token.is_colleagues || is(&self.user);
        let domain = by_id || is_default(&user["domain"]);
        if !known || !domain || user["password"] != self.user.password {
            return Err(Denied::unauthorized());
        }
        token.methods = vec!["password"];
        Ok(())
    }

    fn by_token(&self, given: &Value, token: &mut Token, now: Timestamp) -> Result<(), Denied> {
        let id = given["id"].as_str().unwrap_or_default();
        let Some(old) = self.tokens.get(id) else {
            return Err(Denied::new(404, "Could not recognize Fernet token"));
        };
        if old.expires <= now || old.revoked {
            return Err(Denied::new(404, "Failed to validate token"));
        }
        if old.by_credential {
            return Err(Denied::unauthorized());
        }
        token.methods = vec!["token"];
        token.methods.extend(old.methods.iter().filter(|method| **method != "token"));
        token.audit_ids = old.audit_ids.last().cloned().into_iter().collect();
        // A new token never outlives the one that it was made from.
        token.expires = old.expires;
        token.project = old.project;
        token.is_colleagues = old.is_colleagues;
        Ok(())
    }

    fn by_credential(&self, given: &Value, scoped: bool, token: &mut Token) -> Result<(), Denied> {
        let credential = &self.credential;
        let known = match given.get("id").and_then(Value::as_str) {
            Some(id) if id == credential.id && credential.deleted => false,
            Some(id) if id != credential.id => {
                return Err(Denied::new(404, &format!("Could not find Application Credential: {id}.")));
            }
            Some(_) => true,
            None => {
                let user = &given["user"];
                given["name"] == credential.name && (user["id"] == self.user.id || user["name"] == self.user.name)
            }
        };
        if credential.deleted {
            return Err(Denied::new(404, &format!("Could not find Application Credential: {}.", credential.id)));
        }
        if !known || given["secret"] != credential.secret {
            return Err(Denied::unauthorized());
        }
        if scoped {
            let message =
                "Error authenticating with application credential: Application credentials cannot request a scope.";
            return Err(Denied { identity: true, ..Denied::new(401, message) });
        }
        token.methods = vec!["application_credential"];
        token.project = Some(0);
        token.by_credential = true;
        Ok(())
    }

    fn scoped(&self, scope: &Value) -> Result<usize, Denied> {
        let project = &scope["project"];
        let matches = |own: &Project| match project.get("id") {
            Some(id) => *id == own.id,
            None => project["name"] == own.name && is_default(&project["domain"]),
        };
        self.projects.iter().position(matches).ok_or_else(Denied::unauthorized)
    }

    /// GET /v3/auth/tokens: the token of `subject`, shown to the holder of `token`.
    pub(super) fn show(&self, token: &str, subject: &str, now: Timestamp) -> Result<Value, Denied> {
        self.valid(token, now).ok_or_else(Denied::unauthorized)?;
        let Some(found) = self.tokens.get(subject) else {
            return Err(Denied::new(404, "Could not recognize Fernet token"));
        };
        if found.revoked || found.expires <= now {
            return Err(Denied::new(404, "Failed to validate token"));
        }
        Ok(self.described(found, true))
    }

    /// DELETE /v3/auth/tokens. The service trusts it for a while longer if it has seen it.
    pub(super) fn revoke(&mut self, token: &str, subject: &str, now: Timestamp) -> Result<(), Denied> {
        self.valid(token, now).ok_or_else(Denied::unauthorized)?;
        let Some(found) = self.tokens.get_mut(subject) else {
            return Err(Denied::new(404, "Could not recognize Fernet token"));
        };
        found.revoked = true;
        Ok(())
    }

    pub(super) fn catalog_of(&self, token: &str, now: Timestamp) -> Result<Value, Denied> {
        let found = self.valid(token, now).ok_or_else(Denied::unauthorized)?;
        let Some(project) = found.project else {
            return Err(Denied::new(
                403,
                "You are not authorized to perform the requested action: identity:get_auth_catalog.",
            ));
        };
        Ok(json!({"catalog": self.catalog(Some(project)), "links": {"self": format!("{}/v3/auth/catalog", self.base)}}))
    }

    pub(super) fn projects_of(&self, token: &str, now: Timestamp) -> Result<Value, Denied> {
        self.valid(token, now).ok_or_else(Denied::unauthorized)?;
        let projects: Vec<Value> = self
            .projects
            .iter()
            .map(|project| {
                json!({
                    "id": project.id, "name": project.name, "domain_id": "default", "description": "",
                    "enabled": true, "parent_id": "default", "is_domain": false, "tags": [], "options": {},
                    "links": {"self": format!("{}/v3/projects/{}", self.base, project.id)},
                })
            })
            .collect();
        Ok(json!({"projects": projects, "links": self.links("auth/projects")}))
    }

    /// The user's application credentials.
    pub(super) fn credentials_of(&self, token: &str, user: &str, now: Timestamp) -> Result<Value, Denied> {
        self.own(token, user, now)?;
        let own = &self.credential;
        let roles: Vec<Value> = ROLES.iter().map(|name| self.role(name)).collect();
        let shown = json!({
            "id": own.id, "name": own.name, "description": "of the sandbox", "user_id": self.user.id,
            "project_id": self.projects[0].id, "system": null, "expires_at": null, "unrestricted": null,
            "roles": roles, "links": {"self": format!("{}/v3/application_credentials/{}", self.base, own.id)},
        });
        let shown: Vec<Value> = (!own.deleted).then_some(shown).into_iter().collect();
        let path = format!("users/{user}/application_credentials");
        Ok(json!({"application_credentials": shown, "links": self.links(&path)}))
    }

    /// A role in full; the roles of the bootstrap cannot be changed.
    fn role(&self, name: &str) -> Value {
        let id = draw(self.seed, &["role", name]).hex();
        let mut role = json!({"id": id, "name": name, "domain_id": null, "description": null, "options": {}});
        match name {
            "creator" => role["links"] = json!({"self": format!("{}/v3/roles/{id}", self.base)}),
            _ => role["options"] = json!({"immutable": true}),
        }
        role
    }

    pub(super) fn delete_credential(
        &mut self,
        token: &str,
        user: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<(), Denied> {
        self.own(token, user, now)?;
        if self.credential.deleted || self.credential.id != id {
            return Err(Denied::new(404, &format!("Could not find Application Credential: {id}.")));
        }
        self.credential.deleted = true;
        Ok(())
    }

    /// The state after a deletion that was accepted.
    pub(super) fn forget_credential(&mut self) {
        self.credential.deleted = true;
    }

    fn own(&self, token: &str, user: &str, now: Timestamp) -> Result<(), Denied> {
        self.valid(token, now).filter(|_| user == self.user.id).map(|_| ()).ok_or_else(Denied::unauthorized)
    }

    fn valid(&self, token: &str, now: Timestamp) -> Option<&Token> {
        self.tokens.get(token).filter(|found| found.expires > now && !found.revoked)
    }

    fn links(&self, path: &str) -> Value {
        json!({"next": null, "self": format!("{}/v3/{path}", self.base), "previous": null})
    }

    fn described(&self, token: &Token, with_catalog: bool) -> Value {
        let user = if token.is_colleagues { &self.colleague } else { &self.user };
        let mut described = json!({
            "methods": token.methods,
            "user": {
                "domain": {"id": "default", "name": "Default"},
                "id": user.id, "name": user.name, "password_expires_at": null,
            },
            "audit_ids": token.audit_ids,
            "expires_at": stamp(token.expires),
            "issued_at": stamp(token.issued),
        });
        let roles = || {
            let role = |name: &&str| json!({"id": draw(self.seed, &["role", name]).hex(), "name": name});
            Value::from(ROLES.iter().map(role).collect::<Vec<_>>())
        };
        if let Some(project) = token.project {
            let own = &self.projects[project];
            described["project"] =
                json!({"domain": {"id": "default", "name": "Default"}, "id": own.id, "name": own.name});
            described["is_domain"] = false.into();
            described["roles"] = roles();
        } else if token.system {
            described["roles"] = roles();
            described["system"] = json!({"all": true});
        }
        if with_catalog && (token.project.is_some() || token.system) {
            described["catalog"] = self.catalog(token.project);
        }
        if token.by_credential {
            let credential = &self.credential;
            described["application_credential"] =
                json!({"id": credential.id, "name": credential.name, "restricted": true});
        }
        json!({"token": described})
    }

    fn catalog(&self, project: Option<usize>) -> Value {
        let service = |kind: &str, name: &str, url: String| {
            let endpoint = |interface: &str| {
                json!({
                    "id": draw(self.seed, &["catalog", kind, interface]).hex(),
                    "interface": interface, "region_id": self.region, "url": url, "region": self.region,
                })
            };
            json!({
                "endpoints": [endpoint("public"), endpoint("internal"), endpoint("admin")],
                "id": draw(self.seed, &["catalog", kind]).hex(), "type": kind, "name": name,
            })
        };
        let version = if self.only_v2 { "v2.0" } else { "v3" };
        let mut services = vec![service("identity", "keystone", format!("{}/{version}", self.base))];
        if let Some(project) = project {
            services.push(service("migration", "coriolis", format!("{}/v1/{}", self.base, self.projects[project].id)));
        }
        services.push(service("key-manager", "barbican", format!("{}{PREFIX}", self.base)));
        services.push(service("coriolis-logger", "coriolis-logger", format!("{}{}", self.base, LOGS_PREFIX)));
        let licensing = format!("{}{}", self.base, licensing::PREFIX);
        services.push(service("coriolis-licensing", "coriolis-licensing", licensing));
        services.push(service("coriolis-sandbox", "coriolis-sandbox", format!("{}{}", self.base, TRUTH_PREFIX)));
        services.into()
    }

    /// POST /v2.0/tokens: a password or a token, and the name or the id of a project; the answer is in the format of
    /// its time.
    pub(super) fn authenticate_v2(&mut self, body: &Value, now: Timestamp) -> Result<Value, Denied> {
        let Some(auth) = body.get("auth") else { return Err(Denied::lacks("auth in request body")) };
        let domain = json!({"id": "default"});
        let (password, token) = (&auth["passwordCredentials"], &auth["token"]);
        let identity = match (password.is_object(), token.is_object()) {
            (true, _) => {
                let secret = &password["password"];
                let user = match password.get("userId") {
                    Some(id) => json!({"id": id, "password": secret}),
                    None => json!({"name": password["username"], "domain": domain, "password": secret}),
                };
                json!({"methods": ["password"], "password": {"user": user}})
            }
            (false, true) => json!({"methods": ["token"], "token": {"id": token["id"]}}),
            (false, false) => return Err(Denied::lacks("passwordCredentials in auth")),
        };
        let mut asked = json!({"auth": {"identity": identity}});
        match (auth["tenantName"].as_str(), auth["tenantId"].as_str()) {
            (Some(name), _) => asked["auth"]["scope"] = json!({"project": {"name": name, "domain": domain}}),
            (None, Some(id)) => asked["auth"]["scope"] = json!({"project": {"id": id}}),
            (None, None) => {}
        }
        let (id, described) = self.authenticate(&asked, now)?;
        Ok(self.described_v2(&id, &described["token"]))
    }

    fn described_v2(&self, id: &str, described: &Value) -> Value {
        let time = |key: &str| described[key].as_str().unwrap_or_default();
        // One without fractions, the other without a zone.
        let (expires, issued) = (time("expires_at").replace(".000000Z", "Z"), time("issued_at").replace('Z', ""));
        let mut token = json!({"id": id, "expires": expires, "issued_at": issued});
        if let Some(project) = described.get("project") {
            token["tenant"] = json!({"id": project["id"], "name": project["name"], "enabled": true,
                                     "description": ""});
        }
        let catalog: Vec<Value> = described["catalog"].as_array().into_iter().flatten().map(service_v2).collect();
        let named = |role: &Value| json!({"name": role["name"]});
        let roles: Vec<Value> = described["roles"].as_array().into_iter().flatten().map(named).collect();
        let (user, name) = (&described["user"]["id"], &described["user"]["name"]);
        json!({"access": {
            "token": token,
            "serviceCatalog": catalog,
            "user": {"id": user, "name": name, "username": name, "roles": roles, "roles_links": []},
            "metadata": {"is_admin": 0, "roles": []},
        }})
    }

    /// GET /v2.0/tenants.
    pub(super) fn tenants_of(&self, token: &str, now: Timestamp) -> Result<Value, Denied> {
        self.valid(token, now).ok_or_else(Denied::unauthorized)?;
        let tenant = |own: &Project| json!({"id": own.id, "name": own.name, "description": "", "enabled": true});
        Ok(json!({"tenants": self.projects.iter().map(tenant).collect::<Vec<_>>(), "tenants_links": []}))
    }
}

impl Denied {
    fn new(status: u16, message: &str) -> Self {
        Self { status, message: message.into(), identity: false }
    }

    /// The same answer for a bad password, an unknown user, project or domain, and a missing role.
    fn unauthorized() -> Self {
        Self::new(401, "The request you have made requires authentication.")
    }

    pub(super) fn lacks(what: &str) -> Self {
        Self::new(
            400,
            &format!(
                "Expecting to find {what}. The server could not comply with the request since it is either malformed \
                 or otherwise incorrect. The client is assumed to be in error."
            ),
        )
    }

    pub(super) fn title(&self) -> &'static str {
        match self.status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            _ => "Not Found",
        }
    }
}

/// A service of a catalog in the words of v2.0: one endpoint with all its addresses.
fn service_v2(service: &Value) -> Value {
    let endpoints = service["endpoints"].as_array();
    let url = |interface: &str| {
        let found = endpoints.into_iter().flatten().find(|endpoint| endpoint["interface"] == interface);
        found.map_or(Value::Null, |endpoint| endpoint["url"].clone())
    };
    let first = &service["endpoints"][0];
    json!({
        "type": service["type"],
        "name": service["name"],
        "endpoints_links": [],
        "endpoints": [{
            "id": first["id"],
            "region": first["region"],
            "publicURL": url("public"),
            "internalURL": url("internal"),
            "adminURL": url("admin"),
        }],
    })
}

fn is_default(domain: &Value) -> bool {
    domain["id"] == "default" || domain["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("default"))
}

/// With a `Z`, unlike the migration service's.
fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string()
}
