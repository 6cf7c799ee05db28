//! A script function: its declaration and its body.

use rhai::Dynamic;

use super::call::Call;
use super::error::Fault;
use super::spec::Spec;

/// The body of a function.
pub type Body = fn(&mut Call<'_>) -> Result<Dynamic, Fault>;

/// One function of the language.
pub struct Function {
    pub spec: Spec,
    pub body: Body,
}
