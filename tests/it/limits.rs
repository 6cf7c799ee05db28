//! What is too large, too deep or endless: an error in the lane that did it, and nothing else comes to harm.

use std::fs;

use crate::command::{Ended, command, end, folder};

fn play(test: &str, source: &str, more: &[&str]) -> Ended {
    let place = folder(test);
    fs::write(place.join("large.rhai"), source).unwrap();
    let mut command = command(&[&["large.rhai", "--sandbox", "--state-dir", "state"], more].concat());
    command.current_dir(&place);
    end(command)
}

#[test]
fn a_value_without_an_end_stops_its_own_lane_alone() {
    let source = r##"
        let makes = #{
            text: || { let s = "x"; loop { s += s } },
            interpolated: || { let s = "x"; loop { s = `${s}${s}` } },
            list: || { let a = [1]; loop { a += a } },
            padded: || { let a = []; a.pad(1 << 50, 0) },
            blob: || blob(1 << 40),
            exploded: || { let s = "aaaaaaaaaa"; loop { s.replace("a", s) } },
            deep: || { let m = #{}; for i in 0..8000 { m = #{ a: m } } m },
            deeper: || { let m = []; for i in 0..100000 { m = [take(m)] } m },
            closures: || { let f = || 1; for i in 0..20000 { let g = f; f = || g.call() } f },
            calls: || { let f = |f, n| f.call(f, n + 1); f.call(f, 0) },
            small: || "small",
        };
        let result = wave("w", makes.keys(), #{ limit: 4, max_failures: 100 }, |name| makes[name].call());
        print(result.ok);
        for name in result.failed { print(`${name}: ${result.items[name].error.message}`); }
    "##;
    let ended = play("limits-lanes", source, &["--max", "lane-memory=32MiB"]).expect(0);
    let memory = "the values of this lane need more memory than the 32 MiB it may have";
    let expected = format!(
        "[\"small\"]\nblob: {memory}\ncalls: functions call each other too deeply\n\
         closures: `g` holds values more than 500 deep inside of each other\n\
         deep: `m` holds values more than 500 deep inside of each other\n\
         deeper: `m` holds values more than 500 deep inside of each other\n\
         exploded: {memory}\ninterpolated: {memory}\nlist: {memory}\npadded: {memory}\ntext: {memory}\n"
    );
    assert!(ended.stdout.starts_with(&expected), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn what_is_too_large_is_told_with_its_place_and_how_to_allow_it() {
    let ended = play("limits-place", "let s = \"x\";\nloop {\n    s += s\n}", &["--max", "lane-memory=8MiB"]).expect(1);
    assert!(ended.stderr.contains("need more memory than the 8 MiB it may have"), "{}", ended.stderr);
    assert!(ended.stderr.contains("large.rhai:3:"), "{}", ended.stderr);
    assert!(ended.stderr.contains("`--max lane-memory=SIZE` allows more"), "{}", ended.stderr);
    // The values of all lanes together.
    let many = "each(range(0, 8), #{ limit: 8 }, |n| { let s = \"x\"; s.pad(3000000, \"y\"); sleep(1); s.len() });";
    let many = many.replace("range(0, 8)", "[0, 1, 2, 3, 4, 5, 6, 7]");
    play("limits-many", &many, &[]).expect(0);
}

#[test]
fn nested_values_that_are_allowed_reach_every_end() {
    let source = "let m = 1; for i in 0..400 { m = if i % 2 == 0 { [m] } else { #{ a: m } } }
        let n = m; print(m == n); print(`${m}`.len() > 400); print(m.to_json().len() > 400); let f = || m; print(f.call() == m);
        try { throw m } catch (e) { print(e == m) } log(m); throw m;";
    let ended = play("limits-nested", source, &[]).expect(1);
    assert!(ended.stdout.starts_with("true\ntrue\ntrue\ntrue\ntrue\n"), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn brackets_without_number_are_told_where_there_are_too_many() {
    for (opens, inside, closes) in [
        ("(", "1", ")"),
        ("[", "", "]"),
        ("#{a:", "1", "}"),
        ("{", "", "}"),
        ("!", "true", ""),
        ("f(", "", ")"),
        ("||", "1", ""),
    ] {
        let source = format!("let x = {}{inside}{};", opens.repeat(20_000), closes.repeat(20_000));
        let ended = play("limits-brackets", &source, &[]).expect(1);
        assert!(ended.stderr.contains("large.rhai:1:"), "{opens}: {}", ended.stderr);
    }
}
