use super::*;

fn complaints(code: &str) -> Vec<String> {
    let line = |finding: Finding| {
        let hint = finding.error.hint.unwrap_or_default();
        format!("{}:{} {}; {hint}", finding.line, finding.column, finding.error.message)
    };
    recover(code).0.findings.into_iter().map(line).collect()
}

/// Line, column and message, and the correction.
const MISTAKES: &[(&str, &[&str])] = &[
    ("let x = (1;", &["1:9 `(` is not closed; add `)` before `;`"]),
    ("let a = [1, 2\nlet b = 3;", &["1:9 `[` is not closed; add `];` at the end of line 1"]),
    ("f(1 2)", &["1:4 a `,` is missing here; arguments are separated by `,`"]),
    ("f(#{ a: 1 b: 2 })", &["1:10 a `,` is missing here; keys of an object map are separated by `,`"]),
    ("f(#{ a: 1, b: 2 );", &["1:3 `#{` is not closed; add `}` before `)`"]),
    ("let a = 1\nlet b = 2;", &["1:10 a `;` is missing here; end the statement of line 1 with `;`"]),
    ("let y = 1 let z = 2;", &["1:10 a `;` is missing here; end the statement of line 1 with `;`"]),
    ("} let x = 1;", &["1:1 `}` closes nothing; remove it, or add the bracket that it is meant to close"]),
    ("f(1));", &["1:5 `)` closes nothing; remove it, or add the bracket that it is meant to close"]),
    ("let x = [1]];", &["1:12 `]` closes nothing; remove it, or add the bracket that it is meant to close"]),
    ("log(\"abc);\nlet x = 1;", &[r#"1:5 this text is not closed; add `"` before `);`"#]),
    ("log(`abc);\nlet x = 1;", &["1:5 this text is not closed; add a backtick at its end"]),
    ("/* open\nlet x = 1;", &["1:1 this comment is never closed; close it with `*/`"]),
    ("let a = 'x", &["1:9 this text is not closed; add `'` at the end of the line"]),
    ("if x = 1 { }", &["1:6 `=` gives a value, `==` compares; write `a == b`"]),
    ("let x == 1;", &["1:7 a value is given with `=`; write `let x = ...;`"]),
    ("x === y", &["1:3 `===` is written `==`; write `a == b`"]),
    ("x <> y", &["1:3 there is no `<>`; unequal is written `!=`"]),
    ("let x := 1;", &["1:7 `:=` is written `=`; write `let x = ...;`"]),
    ("f({ key: 1 });", &["1:3 an object map begins with `#{`; write `#{ key: 1 }`"]),
    (r#"let m = { "key": 1 };"#, &[r#"1:9 an object map begins with `#{`; write `#{ "key": 1 }`"#]),
    ("#{a 1}", &["1:4 a `:` is missing behind the key `a`; write `a: ...`"]),
    ("#{a = 1}", &["1:5 a key is followed by `:`; write `a: ...`"]),
    (
        "#{a: 1; b: 2}",
        &[
            "1:6 `1;` is not a number; a name begins with a letter or `_`, a text needs quotes",
            "1:8 a `,` is missing here; keys of an object map are separated by `,`",
        ],
    ),
    ("#{a:1,a:2}", &["1:7 the key `a` is here twice; remove one of them"]),
    ("let x = #{ a: 1, b: };", &["1:19 a value is missing behind `:`; write one before `}`, or remove the `:`"]),
    ("let x = 'text';", &[r#"1:9 single quotes hold one character; write `"text"`"#]),
    ("f('some text')", &[r#"1:3 single quotes hold one character; write `"some text"`"#]),
    ("let x = null;", &["1:9 there is no `null`; the empty value is written `()`"]),
    ("let x = nil;", &["1:9 there is no `nil`; the empty value is written `()`"]),
    ("if a and b { }", &["1:6 `and` is written `&&`; write `a && b`"]),
    ("let x = a or b;", &["1:11 `or` is written `||`; write `a || b`"]),
    ("if not a { }", &["1:4 `not` is written `!`; write `!a`"]),
    ("if x not in y {}", &["1:6 `not in` is written `!in`; write `x !in list`"]),
    ("if x is y {}", &["1:6 `is` is written `==`; write `a == b`"]),
    ("if a {} elif b {}", &["1:9 `elif` is written `else if`; write `else if x { ... }`"]),
    ("if a {} elseif b {}", &["1:9 `elseif` is written `else if`; write `else if x { ... }`"]),
    (
        "if a { } else b { }",
        &["1:15 a block in braces is missing here; the body needs braces, even if it is one statement: `if x { ... }`"],
    ),
    ("else { }", &["1:1 this `else` belongs to no `if`; it follows right behind the `}` of an `if`"]),
    ("unless x {}", &["1:1 there is no `unless`; write `if !x { ... }`"]),
    (
        "if x 1",
        &["1:6 a block in braces is missing here; the body needs braces, even if it is one statement: `if x { ... }`"],
    ),
    ("let x = if a then b else c;", &["1:14 there is no `then`; write `if x { ... } else { ... }`"]),
    ("let x = a if b else c;", &["1:11 a condition comes before its values; write `if condition { a } else { b }`"]),
    ("let x = a ? b : c;", &["1:11 there is no `a ? b : c`; write `if a { b } else { c }`"]),
    ("def f(x) { x }", &["1:1 `def` is written `fn`; write `fn f(...) { ... }`"]),
    ("function f(x) { x }", &["1:1 `function` is written `fn`; write `fn f(...) { ... }`"]),
    ("def f(x):\n  x", &["1:1 `def` is written `fn`; write `fn f(...) { ... }`"]),
    ("fn f(x) x", &["1:9 the function `f` needs a block in braces; write `fn f(...) { ... }`"]),
    (
        "fn f { }",
        &["1:6 the function `f` needs its parameters in brackets; write `fn f() { ... }`, even if there are none"],
    ),
    ("fn f(a: int) { }", &["1:7 a parameter has no type; write the name alone"]),
    ("fn f(a, a) {}", &["1:9 the parameter `a` is here twice; give one of them another name"]),
    (
        "fn f() { fn g() {} }",
        &["1:10 a function cannot be declared inside a block; move it out, or write a closure: `let f = |x| ...;`"],
    ),
    ("let f = fn(x) { x };", &["1:9 a function inside an expression has no `fn`; write a closure: `|x| ...`"]),
    ("lambda x: x", &["1:1 there is no `lambda`; write `|x| ...`"]),
    ("x++;", &["1:2 there is no `++`; write `x += 1`"]),
    ("++x;", &["1:1 there is no `++`; write `x += 1`"]),
    ("for (i = 0; i < 3; i++) { }", &["1:1 `for` goes through a list or a range; write `for i in 0..3 { ... }`"]),
    ("for (let i = 0; i < 3; i++) { }", &["1:1 `for` goes through a list or a range; write `for i in 0..3 { ... }`"]),
    (
        "for (x in y) { }",
        &["1:1 `for` goes through a list or a range; write `for x in list { ... }`, without brackets"],
    ),
    ("foreach x in y { }", &["1:1 `foreach` is written `for`; write `for vm in vms { ... }`"]),
    ("for each x in y {}", &["1:5 `for each` is written `for`; write `for vm in vms { ... }`"]),
    ("for x of y { }", &["1:7 `for` needs `in`; write `for vm in vms { ... }`"]),
    ("for x : y {}", &["1:7 `for` needs `in`; write `for vm in vms { ... }`"]),
    ("for x y {}", &["1:7 `in` is missing here; write `for vm in vms { ... }`"]),
    ("xs.map(vm => vm.name);", &["1:11 a closure is not written with `=>`; write `|vm| ...`"]),
    ("xs.map((vm) => vm.name);", &["1:13 a closure is not written with `=>`; write `|vm| ...`"]),
    ("xs.map((a, b) => { a });", &["1:15 a closure is not written with `=>`; write `|a, b| ...`"]),
    ("let x = a->b;", &["1:10 `->` has no meaning here; a field is read with `.`: `a.b`"]),
    ("let x = \"a\" +\n;", &["1:13 a value is missing behind `+`; write one before `;`, or remove the `+`"]),
    ("let x = \"a\" +\nlet y = 1;", &["1:13 a value is missing behind `+`; write one before `let`, or remove the `+`"]),
    ("(1 + )", &["1:4 a value is missing behind `+`; write one before `)`, or remove the `+`"]),
    ("a && && b", &["1:3 a value is missing behind `&&`; write one before `&&`, or remove the `&&`"]),
    ("f(,)", &["1:3 a value is missing before this `,`; remove the `,`"]),
    ("[1,,2]", &["1:4 a value is missing before this `,`; remove the `,`"]),
    (
        "let x = a.;",
        &["1:10 the name of a field is missing behind `.`; a field is read with `a.b`, an item of a list with `a[0]`"],
    ),
    ("let y = .5;", &["1:9 a number begins with a digit; write `0.5`"]),
    (r#"let s = f"x {a}";"#, &["1:9 a text has no `f` before it; write `x ${a}`, in backticks"]),
    ("let s = f'x {a}';", &["1:9 a text has no `f` before it; write `x ${a}`, in backticks"]),
    (r#""%s" % x"#, &["1:6 a text is not formatted with `%`; put values into a text in backticks: `${name} is ready`"]),
    (
        r#"let s = "a" "b";"#,
        &[
            "1:13 this text is not expected here; join texts with `+`, or put the value into one: `text ${value}`, in backticks",
        ],
    ),
    ("let s = `a ${b c`;", &["1:12 `${` is not closed; write `${b}`"]),
    ("let s = `a ${b`;\nlet t = `x`;", &["1:12 `${` is not closed; write `${b}`"]),
    (
        r#"let x = "\d";"#,
        &[r##"1:10 `\d` is not an escape sequence; write `\\` for a backslash, or a raw text: `#"\d"#`"##],
    ),
    ("let match = 1;\nf(match)", &["1:5 `match` is a reserved word; choose another name, `match_` for example"]),
    ("let new = 1;", &["1:5 `new` is a reserved word; choose another name, `new_` for example"]),
    ("let fn = 1;", &["1:5 `fn` is a word of the language; choose another name"]),
    ("let if = 1;", &["1:5 `if` is a word of the language; choose another name"]),
    ("let 1x = 1;", &["1:5 a name begins with a letter or `_`; choose another name"]),
    (r#"let "x" = 1;"#, &["1:5 a name has no quotes; write `x`"]),
    ("let m = #{ match: 1 };", &[r#"1:12 `match` is a reserved word; put it in quotes: `"match": ...`"#]),
    ("let m = x.match;", &[r#"1:11 `match` is a reserved word; write `["match"]` for `.match`"#]),
    ("var x = 1;", &["1:1 `var` is written `let`; write `let x = ...;`"]),
    ("let mut x = 1;", &["1:5 every variable can be changed; write `let x = ...;`, without `mut`"]),
    ("let x: int = 1;", &["1:6 a variable has no type; write `let x = ...;`"]),
    ("let a, b = 1;", &["1:6 `let` declares one variable at a time; write a `let ... = ...;` for each of them"]),
    ("let {a, b} = m;", &["1:5 `let` declares one variable at a time; write `let a = m.a;` for each of them"]),
    ("export x = 1;", &["1:10 only what is declared can be exported; write `export let x = ...;`"]),
    (
        "let x = new Foo();",
        &["1:9 there is no `new`; a map is written `#{ ... }`, a list `[...]`; a function is just called"],
    ),
    (
        "let x = await f();",
        &["1:9 there is no `await`; functions wait by themselves; to wait for a migration: `wait_for(...)`"],
    ),
    (r#"import x from "y";"#, &[r#"1:10 an import names its file first; write `import "y" as x;`"#]),
    ("use x;", &[r#"1:1 there is no `use`; write `import "file" as name;`"#]),
    (
        "switch x { 1: 2 }",
        &[
            "1:12 `1:` is not a number; a name begins with a letter or `_`, a text needs quotes",
            "1:15 a case is followed by `=>`; write `switch x { 1 => ..., _ => ... }`",
        ],
    ),
    ("switch x { case 1: 2 }", &["1:12 there is no `case`; write `switch x { 1 => ..., _ => ... }`"]),
    ("switch x {\n  1 => a\n  2 => b\n}", &["2:9 a `,` is missing here; cases of a `switch` are separated by `,`"]),
    ("try { } catch e { }", &["1:15 the error of `catch` needs brackets; write `catch (e)`"]),
    ("try { } except { }", &["1:9 `try` goes on with `catch`; write `try { ... } catch (e) { ... }`"]),
    ("try { } catch { } finally { }", &["1:19 there is no `finally`; write the code for any case behind the `try`"]),
    ("do { } ", &["1:7 `do` needs its condition; write `do { ... } while x;`, or `loop { ... }`"]),
    (r#"print "x";"#, &["1:1 `print` is called with brackets; write `print(...)`"]),
    ("f(x: 1)", &["1:4 arguments have no names; options are an object map: `#{ x: ... }`"]),
    ("f(a=1)", &["1:4 arguments have no names; options are an object map: `#{ a: ... }`"]),
    ("let x = @a;", &["1:9 `@` has no meaning here; remove it"]),
    ("let x = $a;", &["1:9 `$` does not belong to a name; write the name alone; in a text in backticks: `${name}`"]),
    ("# don't\nlet x = 1;", &["1:1 `#` does not begin a comment; write `// ...`"]),
    ("-- comment", &["1:1 `--` does not begin a comment; write `// ...`"]),
    ("let d = 10m;", &[r#"1:9 `10m` is not a number; a duration is a text: `"10m"`"#]),
    ("wait_for(x, #{ timeout: 10m });", &[r#"1:25 `10m` is not a number; a duration is a text: `"10m"`"#]),
    (
        "let x = 5 percent;",
        &["1:11 `percent` is not expected here; an operator is missing, or a `;` that ends the statement"],
    ),
    ("let größe = 2;", &["1:7 `ö` cannot be part of a name; names are made of the letters a to z, digits and `_`"]),
    ("break;", &["1:1 there is no loop around this; `return` ends a function or the runbook"]),
    ("const X = 1; X = 2;", &["1:14 `X` is a constant; declare it with `let X = ...;` to change it"]),
    (
        "f() = 2;",
        &["1:1 this cannot be given a value; a variable, a field or an item of a list can; to compare, write `==`"],
    ),
    ("if 5 { }", &["1:4 true or false is wanted here, not a number; compare it: `x == y`"]),
    ("let x = [...a];", &["1:10 there is no `...`; `+` joins lists and maps: `a + b`; a range is `0..3`"]),
    ("wave(\"a\", [1], |vm| {\n  print(vm);\n", &["1:21 `{` is never closed; close it with `});`"]),
    (
        "wave(\"a\", xs, |x| {\n    foo(x));\n});\nlet y = 1;",
        &["2:11 `)` closes nothing; remove it; `{` of line 1 is open here"],
    ),
    ("wave(\"a\", xs, |x| {\n    foo(x;\n});\nlet y = 1;", &["2:8 `(` is not closed; add `)` before `;`"]),
    ("wave(\"a\", xs, |x| {\n    foo(x);\n);\nlet y = 1;", &["1:19 `{` is not closed; add `}` at the end of line 2"]),
    (
        "fn f() {\n    if x {\n        1\n}\nfn g() { 2 }\ng()",
        &["2:10 `{` is not closed; add `}` at the end of line 3"],
    ),
    ("wave(\"a\", xs, #{ limit: 1, |x| {\n    foo(x);\n});", &["1:15 `#{` is not closed; add `}` before `,`"]),
    ("let a = #{\n    b: 1,\n    c: 2\nlet d = 1;", &["1:9 `#{` is not closed; add `};` at the end of line 3"]),
    ("const A = [\n  #{ a: 1 },\n  #{ b: 2 \n];\nf(A)", &["3:3 `#{` is not closed; add `}` at the end of line 3"]),
    (
        "let x = [1, 2;\nlet y = (3;\nf(;",
        &[
            "1:9 `[` is not closed; add `]` before `;`",
            "2:9 `(` is not closed; add `)` before `;`",
            "3:2 `(` is not closed; add `)` before `;`",
        ],
    ),
    (
        "fn f(x) {\n  if x {\n    log(\"a\")\n  }\n  log(\"b\";\n}\n\nfor x in [1, 2 {\n  log(x);\n}",
        &["5:6 `(` is not closed; add `)` before `;`", "8:10 `[` is not closed; add `]` before `{`"],
    ),
    (
        "let a = 1\nlet b = null;\nif a = 2 {\n  print('hi there');\n}\nfor x of [1] { x++; }\nlet m = { key: a };\nf(1 2)",
        &[
            "1:10 a `;` is missing here; end the statement of line 1 with `;`",
            "2:9 there is no `null`; the empty value is written `()`",
            "3:6 `=` gives a value, `==` compares; write `a == b`",
            r#"4:9 single quotes hold one character; write `"hi there"`"#,
            "6:7 `for` needs `in`; write `for vm in vms { ... }`",
            "6:17 there is no `++`; write `x += 1`",
            "7:9 an object map begins with `#{`; write `#{ key: a }`",
            "8:4 a `,` is missing here; arguments are separated by `,`",
        ],
    ),
    (
        "wave(\"a\", xs, |x| {\n  replica_create({ instance: x, n: 'abc' });\n  x++;\n  let y = x and z\n  y\n});",
        &[
            "2:18 an object map begins with `#{`; write `#{ instance: x }`",
            r#"2:36 single quotes hold one character; write `"abc"`"#,
            "3:4 there is no `++`; write `x += 1`",
            "4:13 `and` is written `&&`; write `a && b`",
            "4:18 a `;` is missing here; end the statement of line 4 with `;`",
        ],
    ),
];

#[test]
fn each_mistake_is_told_once_with_its_place_and_what_to_write() {
    let wrong: Vec<String> = MISTAKES
        .iter()
        .filter(|(code, expected)| complaints(code) != *expected)
        .map(|(code, expected)| format!("{code:?}\n  expected {expected:#?}\n  told {:#?}", complaints(code)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_right_has_no_mistake() {
    for code in [
        "let x = 'a'; let y = `a ${x} b`; let z = \"100%\"; x in [1] && !(x !in [2])",
        "let m = #{ default: 1, \"match\": 2 }; m[\"match\"] + m.default % 2",
        "let f = |a, b| a + b; f.call(1, 2)",
        "switch 1 { 1 | 2 => 'a', 3..5 if true => { 'b' }, _ => 'c' }",
        "for (x, i) in [1] { if x == i { continue; } else { break; } }",
        "do { let a = 1; } while false; loop { break; }",
        "let s = #\"a \\ \"b\"\"#; // don't\n/* it's /* nested */ */ s",
        "try { throw 1; } catch (e) { e } fn f(x) { return x; } f(1)",
        "let s = `a\n;${1}\n`; s",
        "",
    ] {
        assert_eq!(complaints(code), Vec::<String>::new(), "{code}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic_or_go_on_for_ever(
        text in "(let |x|=|\\(|\\)|\\[|\\]|\\{|#\\{|\\}|,|;|\n|\"|'|`|\\$\\{|é|1| if | for | in |fn |\\||\\+|:|=>|/\\*|# |\\.){0,25}"
    ) {
        for finding in recover(&text).0.findings {
            proptest::prop_assert!(finding.line >= 1 && finding.column >= 1);
        }
    }
}

#[test]
fn a_sign_that_is_left_out_is_one_mistake_and_hardly_ever_two() {
    let (mut wrong, mut more) = (0, Vec::new());
    for file in ["scripts/waves.rhai", "tests/it/runbooks/resume.rhai", "tests/it/runbooks/nested.rhai"] {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let code = std::fs::read_to_string(file).unwrap();
        for token in crate::language::lexer::lex(&code).tokens {
            if !matches!(
                token.kind,
                Kind::Open | Kind::Close | Kind::Comma | Kind::Semicolon | Kind::Colon | Kind::Operator
            ) {
                continue;
            }
            let broken = format!("{}{}", &code[..token.range.start], &code[token.range.end..]);
            let told = complaints(&broken);
            wrong += usize::from(!told.is_empty());
            if told.len() > 1 {
                more.push(format!("without `{}`: {told:#?}", &code[token.range.clone()]));
            }
        }
    }
    assert!(wrong > 250, "{wrong}");
    assert!(more.len() * 20 < wrong, "{} of {wrong}: {}", more.len(), more.join("\n"));
}

#[test]
fn what_is_nested_too_deeply_is_told_once_with_what_to_do() {
    for (opens, inside, closes) in [
        ("1+", "1", ""),
        ("\"a\" + ", "\"b\"", ""),
        ("x && ", "x", ""),
        ("(", "1", ")"),
        ("[", "", "]"),
        ("if x { 1 } else ", "{ 2 }", ""),
        ("f(", "", ""),
    ] {
        let text = format!("let x = {}{inside}{};\nlet y = = 1;", opens.repeat(2000), closes.repeat(2000));
        let found = recover(&text).0.findings;
        let [told] = found.as_slice() else { panic!("{opens}: {found:?}") };
        assert!(told.error.message.contains("more than 128 expressions"), "{opens}: {}", told.error.message);
        assert_eq!(told.line, 1, "{opens}");
    }
}
