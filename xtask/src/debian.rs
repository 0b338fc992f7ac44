//! Debian's packages: installing them, and looking into suites that the machine itself does not use.
//!
//! Looking is done by apt with a configuration of its own: its lists, its cache and its (empty) status live below one
//! folder of ours, so neither the system's lists nor its pinning change, and no root is needed. The mirror is the one
//! the machine's apt already uses; signatures are checked with the distribution's keyring.

use crate::process;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Installs packages as root, or through sudo in CI. Anyone else is told the command: a build tool does not ask for
/// passwords.
pub fn install(packages: &[&str]) -> Result<()> {
    let remedy = format!(
        "sudo apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    ensure!(
        process::find("apt-get").is_some(),
        "this machine has no apt-get; install what Debian calls: {}",
        packages.join(" ")
    );
    let sudo = if is_root()? {
        false
    } else if std::env::var("CI").is_ok_and(|ci| ci == "true") && process::find("sudo").is_some() {
        true
    } else {
        bail!("packages are missing; run this, then try again:\n  {remedy}")
    };
    let apt_get = |args: &[&str]| {
        let mut command = Command::new(if sudo { "sudo" } else { "apt-get" });
        if sudo {
            // `--preserve-env` is often forbidden; naming the variable to `env` never is.
            command.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        }
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    if !process::succeeds(&mut apt_get(&["update", "-qq"]))? {
        eprintln!("xtask: going on with the package lists there are");
    }
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    let all = [&install[..], packages].concat();
    process::run(&mut apt_get(&all)).with_context(|| format!("by hand: {remedy}"))
}

fn is_root() -> Result<bool> {
    Ok(process::capture(Command::new("id").arg("-u"))?.trim() == "0")
}

/// Where packages are looked for.
#[derive(Clone, Copy)]
pub struct Suite<'a> {
    /// For example `bookworm`.
    pub name: &'a str,
    /// For example `main`.
    pub component: &'a str,
    /// Of the machine that the packages are for, by Debian's name: `amd64`, `arm64`.
    pub architecture: &'a str,
}

/// An apt that knows one suite and touches nothing outside its folder.
pub struct PrivateApt {
    config: PathBuf,
}

impl PrivateApt {
    /// Fetches the suite's lists into `dir`; fails where the mirror has no such suite.
    pub fn new(dir: &Path, mirror: &str, suite: &Suite) -> Result<Self> {
        for folder in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(folder))
                .with_context(|| format!("cannot create {}", dir.display()))?;
        }
        fs::write(dir.join("status"), "")?;
        fs::write(
            dir.join("sources.list"),
            format!(
                "deb [signed-by={KEYRING}] {mirror} {} {}\n",
                suite.name, suite.component
            ),
        )?;
        let config = dir.join("apt.conf");
        fs::write(&config, configuration(dir, suite.architecture))?;
        let apt = Self { config };
        process::capture(
            apt.command("apt-get")
                .args(["update", "-qq", "--error-on=any"]),
        )?;
        Ok(apt)
    }

    /// The versions of a package, newest first.
    pub fn versions(&self, package: &str) -> Result<Vec<String>> {
        let table = process::capture(self.command("apt-cache").args(["madison", package]))?;
        Ok(madison(&table))
    }

    /// The packages that a package names first among those it depends on.
    pub fn depends(&self, package: &str) -> Result<Vec<String>> {
        let list = process::capture(self.command("apt-cache").args(["depends", package]))?;
        let name = |line: &str| Some(line.trim().strip_prefix("Depends: ")?.to_owned());
        Ok(list.lines().filter_map(name).collect())
    }

    /// Downloads one version of a package and returns the file.
    pub fn download(&self, package: &str, version: &str, into: &Path) -> Result<PathBuf> {
        fs::create_dir_all(into)?;
        let what = format!("{package}={version}");
        let mut apt = self.command("apt-get");
        process::run(apt.args(["download", "-qq", &what]).current_dir(into))?;
        let file = fs::read_dir(into)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|e| e == "deb"));
        file.with_context(|| format!("apt-get download {what} left no package file"))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(&self.config);
        command
    }
}

/// Settings for an apt that keeps to `dir`. The hooks of the machine's configuration are cleared: they clean the
/// system's folders.
fn configuration(dir: &Path, architecture: &str) -> String {
    let dir = dir.display();
    format!(
        r#"#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::sourcelist "{dir}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{dir}";
Dir::State::lists "{dir}/lists";
Dir::State::status "{dir}/status";
Dir::Cache "{dir}/cache";
APT::Sandbox::User "root";
APT::Architecture "{architecture}";
APT::Architectures "{architecture}";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Debug::NoLocking "true";
"#
    )
}

/// Column two of `apt-cache madison`.
fn madison(table: &str) -> Vec<String> {
    let version = |line: &str| Some(line.split('|').nth(1)?.trim().to_owned());
    table.lines().filter_map(version).collect()
}

/// The Debian mirror that this machine's apt uses.
pub fn mirror() -> Result<String> {
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    ensure!(
        system.lines().any(|line| line == "ID=debian"),
        "this is not a Debian machine"
    );
    ensure!(
        Path::new(KEYRING).is_file(),
        "the keyring {KEYRING} is missing"
    );
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(parts) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(parts.filter_map(|entry| Some(entry.ok()?.path())));
    }
    files.sort();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        let found = match file.extension().and_then(|e| e.to_str()) {
            Some("sources") => mirror_of_stanzas(&text),
            Some("list") => mirror_of_lines(&text),
            _ => None,
        };
        if let Some(uri) = found {
            return Ok(uri);
        }
    }
    bail!("apt's configuration names no Debian mirror")
}

/// The first usable mirror of a deb822 file: enabled, binary packages, component main, not the security archive.
fn mirror_of_stanzas(text: &str) -> Option<String> {
    for stanza in text.split("\n\n") {
        let field = |name: &str| {
            let value = |line: &str| {
                let (key, value) = line.split_once(':')?;
                key.trim()
                    .eq_ignore_ascii_case(name)
                    .then(|| value.trim().to_owned())
            };
            stanza
                .lines()
                .filter(|line| !line.starts_with('#'))
                .find_map(value)
        };
        let has = |name: &str, word: &str| {
            field(name).is_some_and(|value| value.split_whitespace().any(|w| w == word))
        };
        let enabled = !has("Enabled", "no");
        let debian = field("Suites").is_some_and(|suites| is_debian(&suites));
        if enabled && has("Types", "deb") && has("Components", "main") && debian {
            return Some(field("URIs")?.split_whitespace().next()?.to_owned());
        }
    }
    None
}

/// The same for a file of one-line entries.
fn mirror_of_lines(text: &str) -> Option<String> {
    for line in text.lines() {
        let Some(entry) = line.trim().strip_prefix("deb ") else {
            continue;
        };
        let entry = match entry.trim().strip_prefix('[') {
            Some(options) => options.split_once(']').map_or("", |(_, rest)| rest),
            None => entry,
        };
        let words: Vec<&str> = entry.split_whitespace().collect();
        if let [uri, suite, components @ ..] = &words[..]
            && components.contains(&"main")
            && is_debian(suite)
        {
            return Some((*uri).to_owned());
        }
    }
    None
}

/// Whether suites are of the main archive: third parties use other names, and the security archive has no backports.
fn is_debian(suites: &str) -> bool {
    const NAMES: [&str; 9] = [
        "stable",
        "testing",
        "unstable",
        "sid",
        "bookworm",
        "trixie",
        "forky",
        "duke",
        "oldstable",
    ];
    suites.split_whitespace().any(|suite| {
        let name = suite
            .trim_end_matches("-updates")
            .trim_end_matches("-backports");
        NAMES.contains(&name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_read_from_stanzas() {
        let text = "# first\nTypes: deb\nURIs: https://third.example/apt\nSuites: nodistro\nComponents: main\n\n\
            Types: deb\nEnabled: no\nURIs: http://off.example/debian\nSuites: trixie\nComponents: main\n\n\
            Types: deb\nURIs: http://safe.example/debian-security\nSuites: trixie-security\nComponents: main\n\n\
            Types: deb deb-src\n# old\nURIs: http://one.example/debian http://two.example/debian\n\
            Suites: trixie trixie-updates\nComponents: main contrib\n";
        assert_eq!(
            mirror_of_stanzas(text).as_deref(),
            Some("http://one.example/debian")
        );
        assert_eq!(
            mirror_of_stanzas("Types: deb\nSuites: trixie-security\n"),
            None
        );
    }

    #[test]
    fn the_mirror_is_read_from_lines() {
        let text = "# deb http://no.example/debian trixie main\n\
            deb https://third.example/apt cloud-sdk main\n\
            deb [arch=amd64 signed-by=/k.gpg] http://one.example/debian bookworm main contrib\n";
        assert_eq!(
            mirror_of_lines(text).as_deref(),
            Some("http://one.example/debian")
        );
        assert_eq!(
            mirror_of_lines("deb http://x.example/debian trixie contrib"),
            None
        );
    }

    #[test]
    fn versions_are_column_two() {
        let table = " rust-src | 1.96.1+dfsg1-2~bpo13+1 | http://m/debian x/main amd64 Packages\n \
            rust-src | 1.95.0+dfsg1-2~bpo13+1 | http://m/debian x/main amd64 Packages\n";
        let versions = ["1.96.1+dfsg1-2~bpo13+1", "1.95.0+dfsg1-2~bpo13+1"];
        assert_eq!(madison(table), versions);
    }

    #[test]
    fn the_private_apt_keeps_to_its_folder() {
        let text = configuration(Path::new("/c/apt"), "arm64");
        for line in text.lines().filter(|line| line.starts_with("Dir::")) {
            assert!(
                line.contains("\"/c/apt") || line.contains("\"/dev/null"),
                "{line}"
            );
        }
    }
}
