//! The answers of the service when it refuses a request.

/// An answer other than success.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sandbox) struct Refusal {
    pub status: u16,
    pub message: String,
    /// The exception's class, if it shows in front of the message; a legacy server adds `_Remote` to it.
    pub class: Option<&'static str>,
}

impl Refusal {
    pub(in crate::sandbox) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), class: None }
    }

    /// Conflicts are 400 as well: the service has no 409 for them.
    pub(in crate::sandbox) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub(in crate::sandbox) fn input(message: impl AsRef<str>) -> Self {
        Self::bad(format!("Invalid input received: {}", message.as_ref()))
    }

    /// Without a class, as actions and deletions answer.
    pub(in crate::sandbox) fn missing(message: impl Into<String>) -> Self {
        Self::new(404, message)
    }

    /// From behind the message bus, where the class shows.
    pub(in crate::sandbox) fn classed(self, class: &'static str) -> Self {
        Self { class: Some(class), ..self }
    }

    /// An unsupported method on a path that has a route.
    pub(in crate::sandbox) fn no_method() -> Self {
        Self::missing("The resource could not be found.")
    }

    /// A missing body, or one of another content type.
    pub(in crate::sandbox) fn no_body() -> Self {
        Self::bad("The server could not comply with the request since it is either malformed or otherwise incorrect.")
    }

    pub(in crate::sandbox) fn internal() -> Self {
        Self::new(500, "The server has either erred or is incapable of performing the requested operation.")
    }

    pub(in crate::sandbox) fn fault(&self) -> &'static str {
        match self.status {
            400 => "badRequest",
            401 => "unauthorized",
            403 => "forbidden",
            404 => "itemNotFound",
            405 => "badMethod",
            409 => "conflictingRequest",
            503 => "serviceUnavailable",
            _ => "computeFault",
        }
    }
}
