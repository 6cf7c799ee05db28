//! The report of a run in a real browser: `.ci/run` installs Chromium and names it in `CHROMIUM`.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "the browser's place comes from the environment")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;

/// Four VMs in a wave, one of which always fails and one of which is called as no VM should be; two in another.
const RUNBOOK: &str = r#"
    let from = endpoint_find("vcenter");
    let to = endpoint_find("openstack");
    let names = ["web-01", "fail-once-mail-01", "fail-always-legacy-01", "<script>document.title='taken'</script>"];
    wave("seed <b>", names, #{ limit: 3, retries: 1, max_failures: 2 }, |name| {
        replica_sync(replica_ensure(#{ origin_endpoint: from, destination_endpoint: to, instance: name }));
    });
    wave("cutover", ["web-01", "fail-once-mail-01"], #{ limit: 2 }, |name| {
        let last = replica_sync(replica_of(name), #{ shutdown_instances: true });
        replica_deploy(replica_of(name), #{ requires: last });
    });
"#;
const ITEMS: usize = 6;

/// What the page says about itself, put into its title.
const ASK: &str = r#"<script>
    const fill = (what) => getComputedStyle(document.querySelector(what)).fill;
    document.querySelectorAll("th button")[1].click();
    document.title = JSON.stringify({
        fits: document.documentElement.scrollWidth <= innerWidth,
        copy: fill(".phase.copy"),
        first: document.querySelector("tr.item td:nth-child(2)").textContent,
        wide: Math.min(...[...document.querySelectorAll("g.bar rect.script")].map(bar => bar.getBoundingClientRect().width)) > 0,
    });
</script>"#;

fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser").join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn coriolis_run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coriolis-run"));
    command.args(arguments).args(["--state-dir", "state"]).current_dir(folder).env_clear();
    command.output().unwrap()
}

/// A page of a rehearsal.
fn page(folder: &Path) -> String {
    fs::write(folder.join("runbook.rhai"), RUNBOOK).unwrap();
    let ended = coriolis_run(folder, &["runbook.rhai", "--sandbox"]);
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    let ended = coriolis_run(folder, &["report", "-o", "report.html"]);
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    fs::read_to_string(folder.join("report.html")).unwrap()
}

/// Opens a page of this folder; what the browser printed, and what it complained about.
fn open(folder: &Path, page: &str, arguments: &[&str]) -> (String, Vec<String>) {
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".into());
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let mut command = Command::new(chromium);
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        &profile,
    ]);
    command.args(["--enable-logging=stderr", "--window-size=1280,1600"]).args(arguments);
    let output = command.arg(format!("file://{}", folder.join(page).display())).output().expect("chromium starts");
    let complaints = String::from_utf8_lossy(&output.stderr);
    let complaints = complaints.lines().filter(|line| line.contains("CONSOLE")).map(String::from).collect();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).unwrap(), complaints)
}

#[test]
fn a_page_shows_every_item_with_its_bar_and_nothing_goes_wrong_in_it() {
    let folder = folder("dom");
    page(&folder);
    let (dom, complaints) = open(&folder, "report.html", &["--dump-dom"]);
    assert_eq!(complaints, Vec::<String>::new());
    let found = [
        "<tr class=\"item\"",
        "<g class=\"bar\">",
        "<g class=\"wave\">",
        "<article>",
        "<th ",
        "<th scope=\"col\"><button>",
    ]
    .map(|what| dom.matches(what).count());
    // The heads of numbers have a class of their own.
    assert_eq!(found, [ITEMS, ITEMS, 2, 2, 8, 6], "{dom}");
    assert!(Regex::new("<title>Run [a-z0-9]+: done, 2 failed</title>").unwrap().is_match(&dom), "{dom}");
    assert!(dom.contains("&lt;script&gt;document.title='taken'&lt;/script&gt;"));
}

#[test]
fn a_page_is_drawn_sorted_and_printed() {
    let folder = folder("drawn");
    let asked = page(&folder).replace("</body>", &format!("{ASK}</body>"));
    fs::write(folder.join("asked.html"), asked).unwrap();
    let (dom, complaints) = open(&folder, "asked.html", &["--dump-dom"]);
    assert_eq!(complaints, Vec::<String>::new());
    let title = Regex::new("<title>(.*?)</title>").unwrap().captures(&dom).unwrap()[1].to_owned();
    let expected = r#"{"fits":true,"copy":"rgb(0, 114, 178)","first":"&lt;script&gt;document.title='taken'&lt;/script&gt;","wide":true}"#;
    assert_eq!(title, expected);

    let (picture, print) = (folder.join("page.png"), folder.join("page.pdf"));
    open(&folder, "report.html", &[&format!("--screenshot={}", picture.display())]);
    assert!(fs::read(picture).unwrap().len() > 30_000, "a white page is small");
    open(&folder, "report.html", &[&format!("--print-to-pdf={}", print.display())]);
    assert!(fs::read(print).unwrap().starts_with(b"%PDF"));
}
