//! The engine as a parser: the words and the limits of the language, without any function.

use std::sync::LazyLock;

use rhai::{Engine, OptimizationLevel, Token};

/// The depth of calls and of expressions: the same in debug and release builds.
pub const CALL_LEVELS: usize = 64;
pub const EXPRESSION_DEPTH: usize = 128;
/// A parser for scripts; an undeclared variable is a mistake.
pub fn parser() -> Engine {
    let mut engine = Engine::new();
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_max_call_levels(CALL_LEVELS + 1)
        .set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH)
        .disable_symbol("eval");
    // The API's own `storage_mappings.default` needs one of the words that Rhai reserves for its future.
    #[allow(deprecated, reason = "the engine marks its volatile interfaces so")]
    engine.on_parse_token(|token, _, _| match token {
        Token::Reserved(word) if matches!(word.as_str(), "default" | "spawn") => Token::Identifier(word),
        other => other,
    });
    engine
}

/// A parser that ignores the meaning of names: an undeclared variable is not a syntax error.
pub fn lax() -> &'static Engine {
    static LAX: LazyLock<Engine> = LazyLock::new(|| {
        let mut engine = parser();
        engine.set_strict_variables(false);
        engine
    });
    &LAX
}
