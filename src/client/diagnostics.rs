//! Diagnostics: the server's services about the machines they run on.

use super::request::{Answer, Request};

/// One entry for each service: `application`, `hostname`, `packages` and more. Slow, since every service is asked.
pub fn get() -> Request {
    Request::get("diagnostics", Answer::List("diagnostics"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_list() {
        assert_eq!(get(), Request::get("diagnostics", Answer::List("diagnostics")));
    }
}
