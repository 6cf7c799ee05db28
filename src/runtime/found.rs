//! Judging if the results of a look were made by a request of ours. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::duration::server_time;

/// The results of a look for the effect of a lost change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Those that carry our own mark: nobody else has made them.
    marked: Vec<Value>,
    /// Those that agree with everything that was asked for.
    agree: Vec<Value>,
    /// Those that do not show if they agree.
    unclear: Vec<Value>,
    /// An object that has changed, but not to the requested state; the text is for people.
    changed: Option<String>,
    /// The object existed before: its user is the one who made it, and may be anybody.
    is_older: bool,
}

/// The conclusion.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It was not carried out.
    Nothing,
    /// This is its effect.
    Made(Value),
    /// This may be its effect, or somebody else's; the text is for people.
    Unsure(String),
}

impl Found {
    pub fn marked(things: Vec<Value>) -> Self {
        Self { marked: things, ..Self::default() }
    }

    /// An object that is neither in its earlier nor in the requested state.
    pub fn changed(how: String) -> Self {
        Self { changed: Some(how), ..Self::default() }
    }

    /// An object that existed before, and may be in the requested state now.
    pub fn of(thing: Value, agrees: Agrees) -> Self {
        let mut found = Self { is_older: true, ..Self::default() };
        found.add(thing, agrees);
        found
    }

    /// The new objects that agree, or may agree.
    ///
    /// # Errors
    /// That of `agrees`.
    pub fn judge<E>(candidates: Vec<Value>, agrees: impl Fn(&Value) -> Result<Agrees, E>) -> Result<Self, E> {
        let mut found = Self::default();
        for candidate in candidates {
            let verdict = agrees(&candidate)?;
            found.add(candidate, verdict);
        }
        Ok(found)
    }

    fn add(&mut self, thing: Value, agrees: Agrees) {
        match agrees {
            Agrees::Yes => self.agree.push(thing),
            Agrees::Unclear => self.unclear.push(thing),
            Agrees::No => {}
        }
    }

    /// Leaves out new objects that show another user than these, who may have sent the request: somebody else made
    /// them, whatever else they show. Nothing is left out if the users are not known.
    #[must_use]
    pub fn made_by(mut self, users: &BTreeSet<String>) -> Self {
        self.take_from_others(users);
        self
    }

    /// Doubts new objects that show another user than these, who are perhaps not all who have sent requests of the run.
    #[must_use]
    pub fn perhaps_made_by(mut self, users: &BTreeSet<String>) -> Self {
        let others = self.take_from_others(users);
        self.unclear.extend(others);
        self
    }

    fn take_from_others(&mut self, users: &BTreeSet<String>) -> Vec<Value> {
        if self.is_older || users.is_empty() {
            return Vec::new();
        }
        let is_others = |thing: &mut Value| thing["user_id"].as_str().is_some_and(|user| !users.contains(user));
        let lists = [&mut self.marked, &mut self.agree, &mut self.unclear];
        lists.into_iter().flat_map(|things| things.extract_if(.., is_others).collect::<Vec<_>>()).collect()
    }

    /// A marked result is adopted, and so is a single agreeing one; any other that may agree makes it unsure.
    pub fn verdict(&self) -> Verdict {
        match (self.marked.as_slice(), self.agree.as_slice(), self.unclear.as_slice()) {
            ([made, ..], _, _) | ([], [made], []) => Verdict::Made(made.clone()),
            ([], [], []) => self.changed.clone().map_or(Verdict::Nothing, Verdict::Unsure),
            _ => {
                let all: Vec<String> = self.agree.iter().chain(&self.unclear).map(named).collect();
                Verdict::Unsure(all.join(", "))
            }
        }
    }

    /// The results that carry our own mark.
    pub fn ours(&self) -> &[Value] {
        &self.marked
    }

    /// The results that only a comparison could tell.
    pub fn possible(&self) -> impl Iterator<Item = &Value> {
        self.agree.iter().chain(&self.unclear)
    }

    /// All results that the request may have made, except this one.
    pub fn others<'a>(&'a self, used: &'a Value) -> impl Iterator<Item = &'a Value> {
        let id = |thing: &'a Value| thing.get("id").or_else(|| thing.get("secret_ref"));
        self.marked.iter().chain(&self.agree).filter(move |other| id(other) != id(used))
    }
}

/// The agreement of an object with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agrees {
    Yes,
    /// The object does not show it, or not yet.
    Unclear,
    No,
}

impl Agrees {
    /// Both must agree.
    #[must_use]
    pub fn and(self, other: Agrees) -> Agrees {
        self.max(other)
    }
}

impl From<bool> for Agrees {
    fn from(agrees: bool) -> Self {
        if agrees { Agrees::Yes } else { Agrees::No }
    }
}

/// True if a value contains another: objects may have more keys, lists another order, and times another form.
pub fn holds(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Array(values), Value::Array(parts)) => {
            values.len() == parts.len() && parts.iter().all(|part| values.iter().any(|value| holds(value, part)))
        }
        (Value::String(value), Value::String(part)) => {
            value == part || server_time(value).is_some_and(|time| server_time(part) == Some(time))
        }
        (Value::Object(fields), Value::Object(parts)) => {
            parts.iter().all(|(name, part)| holds(fields.get(name).unwrap_or(&Value::Null), part))
        }
        _ => value == part,
    }
}

/// `transfer_execution #3 (8d71...)`.
fn named(thing: &Value) -> String {
    let text = |field: &str| thing[field].as_str().filter(|text| !text.is_empty());
    let id = text("id").unwrap_or("without an id");
    match (text("type"), thing["number"].as_i64()) {
        (Some(kind), Some(number)) => format!("{kind} #{number} ({id})"),
        (Some(kind), None) => format!("{kind} {id}"),
        _ => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde_json::json;

    use super::*;

    fn judged(verdicts: &[Agrees]) -> Verdict {
        let things = (0..verdicts.len()).map(|at| json!({"id": format!("E{at}"), "at": at})).collect();
        let agrees = |thing: &Value| Ok::<_, Infallible>(verdicts[thing["at"].as_u64().expect("a place") as usize]);
        Found::judge(things, agrees).expect("nothing fails").verdict()
    }

    #[test]
    fn only_one_that_agrees_alone_is_adopted() {
        use Agrees::{No, Unclear, Yes};
        let made = |at: usize| Verdict::Made(json!({"id": format!("E{at}"), "at": at}));
        assert_eq!(judged(&[]), Verdict::Nothing);
        assert_eq!(judged(&[No, No]), Verdict::Nothing);
        assert_eq!(judged(&[No, Yes, No]), made(1));
        assert_eq!(judged(&[Yes, Yes]), Verdict::Unsure("E0, E1".into()));
        assert_eq!(judged(&[Yes, No, Unclear]), Verdict::Unsure("E0, E2".into()));
        assert_eq!(judged(&[Unclear]), Verdict::Unsure("E0".into()));
        let twins = Found::marked(vec![json!({"id": "T1"}), json!({"id": "T2"})]);
        assert_eq!(twins.verdict(), Verdict::Made(json!({"id": "T1"})));
        assert_eq!(twins.others(&json!({"id": "T1"})).collect::<Vec<_>>(), [&json!({"id": "T2"})]);
    }

    #[test]
    fn a_new_object_of_another_user_is_not_ours() {
        let of = |user: Value| json!({"id": "D", "user_id": user});
        let ann = BTreeSet::from(["ann".to_owned()]);
        let new = |user: Value| [Found::marked(vec![of(user.clone())]), agreeing(of(user))];
        for (user, verdict) in [("ann", Verdict::Made(of(json!("ann")))), ("bob", Verdict::Nothing)] {
            for found in new(json!(user)) {
                assert_eq!(found.clone().made_by(&ann).verdict(), verdict);
                assert_eq!(found.made_by(&BTreeSet::new()).verdict(), Verdict::Made(of(json!(user))), "nobody knows");
            }
        }
        for found in new(json!(null)) {
            assert_eq!(found.made_by(&ann).verdict(), Verdict::Made(of(json!(null))), "it is not shown");
        }
        for found in new(json!("bob")) {
            assert_eq!(found.perhaps_made_by(&ann).verdict(), Verdict::Unsure("D".into()));
        }
        let changed = Found::of(of(json!("bob")), Agrees::Yes);
        assert_eq!(changed.made_by(&ann).verdict(), Verdict::Made(of(json!("bob"))), "whoever made it, we changed it");
    }

    fn agreeing(thing: Value) -> Found {
        Found::judge(vec![thing], |_| Ok::<_, Infallible>(Agrees::Yes)).expect("nothing fails")
    }

    #[test]
    fn what_a_server_writes_in_another_way_is_the_same() {
        let same = |shown: Value, asked: Value| holds(&shown, &asked);
        assert!(same(json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": 1}})));
        assert!(same(json!(["r2", "r1"]), json!(["r1", "r2"])) && !same(json!(["r1"]), json!(["r1", "r2"])));
        assert!(same(json!("2031-01-01T00:00:00.000000"), json!("2031-01-01T00:00:00Z")));
        assert!(!same(json!("2031-01-01T00:00:01.000000"), json!("2031-01-01T00:00:00Z")));
        assert!(!same(json!("theirs"), json!("ours")) && !same(json!(null), json!("ours")));
    }

    #[test]
    fn what_disagrees_anywhere_disagrees() {
        use Agrees::{No, Unclear, Yes};
        assert_eq!((Yes.and(Yes), Yes.and(Unclear), Unclear.and(No), No.and(Yes)), (Yes, Unclear, No, No));
    }
}
