//! The hint behind the cursor: the rest of an earlier input, or the missing arguments of the current call.

use super::place;
use crate::language::catalog::Catalog;

/// The text to show, and the text that the right arrow inserts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    pub shown: String,
    pub taken: Option<String>,
}

/// The hint for a line with the cursor at its end; `before` is the newest input that begins with the line.
pub fn hint(line: &str, before: Option<&str>, functions: &[(String, Vec<String>)], catalog: &Catalog) -> Option<Hint> {
    if let Some(rest) = before.and_then(|input| input.strip_prefix(line)).filter(|rest| !rest.is_empty()) {
        // The first of several lines is enough to recognize it.
        let shown = rest.lines().next().unwrap_or_default();
        let more = if rest.contains('\n') { " …" } else { "" };
        return Some(Hint { shown: format!("{shown}{more}"), taken: Some(rest.to_owned()) });
    }
    let shown = wanted(line, functions, catalog)?;
    Some(Hint { shown, taken: None })
}

/// The missing parameters of the call at the end of the line: `transfer, [options])`.
fn wanted(line: &str, functions: &[(String, Vec<String>)], catalog: &Catalog) -> Option<String> {
    let begins = line.trim_end().ends_with(['(', ',']);
    if !begins {
        return None;
    }
    let (function, index) = place::call(line, line.len())?;
    let parameters: Vec<String> = match functions.iter().find(|(name, _)| *name == function) {
        Some((_, parameters)) => parameters.clone(),
        None => {
            let row = catalog.find(&function)?;
            let word = |name: &str, optional: bool| if optional { format!("[{name}]") } else { name.to_owned() };
            row.parameters.iter().map(|parameter| word(parameter.name, parameter.optional)).collect()
        }
    };
    let rest = parameters.get(index..).unwrap_or_default().join(", ");
    let space = if line.ends_with(',') { " " } else { "" };
    Some(format!("{space}{rest})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::catalog;

    #[test]
    fn what_was_typed_before_comes_first_then_what_the_call_wants() {
        let history = ["replica_create(#{\n a: 1 })", "endpoint_list()"];
        let before = |line: &str| history.into_iter().find(|input| !line.is_empty() && input.starts_with(line));
        let of = |line: &str| hint(line, before(line), &[("mine".into(), vec!["a".into(), "b".into()])], catalog());
        let shown = |line: &str| of(line).map(|hint| hint.shown);
        assert_eq!(of("endp"), Some(Hint { shown: "oint_list()".into(), taken: Some("oint_list()".into()) }));
        assert_eq!(shown("replica_c").as_deref(), Some("reate(#{ …"));
        assert_eq!(shown("replica_sync(").as_deref(), Some("transfer, [options])"));
        assert_eq!(shown("replica_sync(r,").as_deref(), Some(" [options])"));
        assert_eq!(shown("wave(\"a\", vms, ").as_deref(), Some("[options], body)"));
        assert_eq!(shown("mine(").as_deref(), Some("a, b)"));
        assert_eq!((shown("replica_sync(r"), shown(""), shown("nobody(")), (None, None, None));
    }
}
