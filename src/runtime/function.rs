//! A script function: its declaration and its body.

use rhai::Dynamic;

use crate::language::error::Fault;
use crate::language::spec::Spec;
use crate::runtime::call::Call;

/// The body of a function.
pub type Body = fn(&mut Call<'_>) -> Result<Dynamic, Fault>;

/// One function of the language.
pub struct Function {
    pub spec: Spec,
    pub body: Body,
}
