//! Short texts about subjects other than functions: the language, and the things that run in it. Indented lines are
//! code that parses.

/// A text with the words that lead to it, the first of them its title.
pub struct Topic {
    pub words: &'static [&'static str],
    pub summary: &'static str,
    pub text: &'static str,
}

pub const TOPICS: &[Topic] = &[
    Topic {
        words: &["language", "rhai", "syntax"],
        summary: "Variables, maps, loops, functions, errors on one screen.",
        text: r#"Runbooks are written in Rhai (https://rhai.rs/book).

    let name = "web-01"; const LIMIT = 10;           // numbers, texts, true, ()
    let vm = #{ name: name, ip: "10.0.0.5" };        // an object map
    vm.network = "private"; print(vm["name"]);       // its fields
    let names = ["web-01", "web-02"]; names.push("db-01"); print(names[0]);
    if names.len() > 2 && vm.ip != () { print("many"); } else { print("few"); }
    for name in names { print(name); }
    for (name, index) in names { print(`${index}: ${name}`); }
    while names.len() > 0 { names.pop(); }
    let size = switch vm.network { "private" => 1, _ => 2 };
    fn double(x) { x * 2 }                           // sees no variables
    let big = [1, 2, 3].filter(|n| n > 1).map(|n| double(n));
    try { endpoint_show("nowhere"); } catch (e) { print(e.message); }

Reading a field that is not there is an error; `"ip" in vm` asks for it.
More: help("strings"), help("closures"), help("errors"), help("waves")."#,
    },
    Topic {
        words: &["strings", "text", "texts"],
        summary: "Texts in quotes and backticks, and their functions.",
        text: r#"A text has double quotes; in backticks it may have line breaks and values.

    let vm = "web-01";
    print(`VM ${vm} has ${vm.len()} letters`);
    print("a \"quote\", a tab \t, a line\nbreak");
    print(vm.starts_with("web") && vm.contains("-"));
    print(vm.split("-")[0] + "!" + vm.sub_string(4) + vm.to_upper());
    vm.replace("web", "app");                        // changes vm itself
    print(parse_int("42") + 1);
    print("01" in vm);

Single quotes hold one letter: 'x'. Passwords print as `***`."#,
    },
    Topic {
        words: &["closures", "closure"],
        summary: "Functions as values, and the limits of those of waves.",
        text: r#"A closure is a function as a value: its parameters between bars, then its body.

    let is_web = |vm| vm.name.starts_with("web");
    let vms = [#{ name: "web-01" }, #{ name: "db-01" }];
    print(vms.filter(is_web).len());
    let done = wave("seed", vms, |vm| {
        replica_ensure(#{ origin_endpoint: "vcenter", instance: vm.name,
            destination_endpoint: "openstack" })
    });

It sees the variables around it. Closures of `wave` and `each` run at the same
time and work on copies: one that changes a variable from outside is refused.
What they return is in the result: `done.items["web-01"].value`."#,
    },
    Topic {
        words: &["errors", "error", "catch", "exceptions"],
        summary: "What is thrown, what can be caught, and which errors end a run.",
        text: r#"What fails throws a map with `kind`, `message` and `hint`; `status`, `method`,
`path` and `request_id` where a server refused.

    try {
        endpoint_show("nowhere");
    } catch (e) {
        if e.kind == "not_found" { print(e.message); } else { throw e; }
    }

Kinds: script, input, unreachable, login, api, not_found, ambiguous, refused,
failed, cancelled, timeout, items_failed. What was waited for and failed has
`task` and `exception_details` as well.
What the language itself finds wrong (a missing field, say) has `error` and
`message` and no `kind`: ask with `e.get("kind")`.
An interruption, a change of unknown outcome, a
journal that does not fit and a question without an answer end the run: no
script can catch them. `coriolis-run resume` goes on where it stopped."#,
    },
    Topic {
        words: &["waves", "parallel"],
        summary: "Many machines at once, with limits, retries and a failure budget.",
        text: r#"A wave works on many items at once and waits for all of them.

    let vms = [#{ name: "web-01" }, #{ name: "web-02" }];
    let how = #{ limit: 8, retries: 1, max_failures: "10%" };
    let done = wave("seed", vms, how, |vm| {
        let replica = replica_ensure(#{ origin_endpoint: "vcenter",
            destination_endpoint: "openstack", instance: vm.name });
        replica_sync(replica)
    });
    print(done.ok);                                  // the names of those done

An item is told by its `name`, or by what `key` says. One that fails is tried
again `retries` times and goes on where it failed: what it has made is made no
second time. After more than `max_failures` nothing new starts, and the wave
throws. See help("wave"), help("each"), help("group_by")."#,
    },
    Topic {
        words: &["sandbox", "rehearsal"],
        summary: "A simulated cloud to try everything on.",
        text: r#"`coriolis-run runbook.rhai --sandbox` runs on a simulated cloud in virtual time:
days of copying take seconds, and nothing leaves this machine. `coriolis-run
--sandbox` is a prompt on one. It has the endpoints `vcenter` and `openstack`
and virtual machines such as `web-01`:

    for vm in endpoint_instance_list("vcenter") { print(vm.name); }
    for network in endpoint_network_list("openstack") { print(network.name); }

Every example of `help` runs there. `coriolis-run sandbox --help` tells how to
serve one to other programs, and how to let things fail."#,
    },
    Topic {
        words: &["replicas", "transfers", "generations", "vocabulary"],
        summary: "From a machine to its copy to its new self, in the words of both generations.",
        text: r#"A replica (`transfer` on current servers) copies machines from one endpoint to
another. Each execution of it copies what has changed; a deployment
(`migration` on legacy servers) makes machines of the copy.

    let r = replica_ensure(#{ origin_endpoint: "vcenter",
        destination_endpoint: "openstack", instance: "web-01" });
    replica_sync(r);                                 // execute and wait
    let last = replica_sync(r, #{ shutdown_instances: true });
    let vm = replica_deploy(r, #{ requires: last }); // deploy and wait

Both vocabularies work on both generations of servers. The functions that wait
are made for runbooks; `replica_execute`, `deployment_create` and `wait_for`
are the single steps."#,
    },
];

/// The topic of a word.
pub fn find(word: &str) -> Option<&'static Topic> {
    let word = word.trim().to_lowercase();
    TOPICS.iter().find(|topic| topic.words.contains(&word.as_str()))
}
