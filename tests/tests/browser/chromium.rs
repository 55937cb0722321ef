//! A headless Chromium.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::png::Picture;

/// What the reader prefers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

/// A browser that is installed.
pub(crate) struct Chromium {
    path: &'static str,
    folder: TempDir,
}

/// What a page came to.
pub(crate) struct Visit {
    /// What the probe in the page has found.
    pub(crate) findings: Value,
    pub(crate) picture: Picture,
}

impl Chromium {
    /// Returns the browser, or says that the test of this name checks nothing.
    pub(crate) fn find(test: &str) -> Option<Self> {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let is_there = |name: &&str| {
            let mut command = Command::new(name);
            command.arg("--version").stderr(Stdio::null());
            command.output().is_ok_and(|output| output.status.success())
        };
        let Some(path) = names.into_iter().find(is_there) else {
            // Not captured: whoever reads the log should know.
            _ = writeln!(
                std::io::stderr(),
                "chromium is not installed: {test} checked nothing"
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        Some(Self { path, folder })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens a page at the end of which probes run, and returns what they found.
    ///
    /// Asserts that nothing was said on the console but the probes' last words, which show that the
    /// console is heard.
    pub(crate) fn visit(&self, html: &str, probes: &[&str], scheme: Scheme, size: &str) -> Visit {
        let mut html = html.to_owned();
        for probe in probes {
            _ = writeln!(html, "<script>\n{probe}</script>");
        }
        let (page, shot) = (self.path("page.html"), self.path("page.png"));
        fs::write(&page, html).unwrap();
        let scheme = match scheme {
            Scheme::Dark => 0,
            Scheme::Light => 1,
        };
        let output = Command::new(self.path)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
            .args(["--hide-scrollbars", "--enable-logging=stderr"])
            .args(["--force-device-scale-factor=1", "--timeout=60000"])
            .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
            .arg(format!("--user-data-dir={}", self.path("user").display()))
            .arg(format!("--window-size={size}"))
            .arg(format!("--screenshot={}", shot.display()))
            .arg("--dump-dom")
            .arg(address(&page))
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        let said: Vec<_> = log
            .lines()
            .filter(|line| line.contains("CONSOLE"))
            .collect();
        assert!(
            said.len() == 1 && said[0].contains("the probe has come to its end"),
            "the console says {said:#?}\n{log}"
        );
        Visit {
            findings: findings(&String::from_utf8_lossy(&output.stdout)),
            picture: Picture::read(&fs::read(&shot).unwrap()),
        }
    }
}

fn address(page: &Path) -> String {
    format!("file://{}", page.display())
}

/// Returns what the probe has put into the page.
fn findings(dom: &str) -> Value {
    let begin = dom.find("<pre id=\"findings\"").expect("findings");
    let begin = begin + dom[begin..].find('>').unwrap() + 1;
    let end = begin + dom[begin..].find("</pre>").unwrap();
    let text = dom[begin..end]
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&nbsp;", "\u{a0}")
        .replace("&amp;", "&");
    serde_json::from_str(&text).unwrap()
}
