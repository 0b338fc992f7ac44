//! Counts the instructions of an ARM program: QEMU runs it, and a plugin of ours counts. The plugin is in
//! `xtask/plugin/count.c`; what a program marks as a region is in `runtime/sys/src/mark.rs`.
//!
//! Limits: QEMU has to take plugins, as its dynamically linked packages do and the static ones do not.

use crate::scratch::Scratch;
use crate::{build, cross, process, repo};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

const EMULATOR: &str = "qemu-aarch64";

/// What the kernel says about each core in `/proc/cpuinfo`: its part, and the features that the emulator's model has too.
/// User-mode emulation passes the host's file through, and libraries that choose kernels by it would choose others than
/// on a board.
const CORES: [(&str, &str, &str); 3] = [
    (
        "cortex-a53",
        "0xd03",
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid",
    ),
    (
        "cortex-a72",
        "0xd08",
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid",
    ),
    (
        "cortex-a76",
        "0xd0b",
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
    ),
];

/// The data caches of a core: kibibytes and ways of the first and of the second level. The second is that of the board that
/// has the core: Raspberry Pi 3 (four cores share it), 4 (likewise), 5 (each core has one; the third level is beyond it).
pub const CACHES: [(&str, [usize; 2], [usize; 2]); 3] = [
    ("cortex-a53", [32, 4], [512, 16]),
    ("cortex-a72", [32, 2], [1024, 16]),
    ("cortex-a76", [64, 4], [512, 8]),
];

/// What went through the data caches in a region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moved {
    /// Lines that the first level missed.
    pub first_level_misses: u64,
    /// Bytes that the second level read from beyond it, and wrote there.
    pub bytes_beyond: u64,
}

/// What was counted.
#[derive(Debug, PartialEq)]
pub struct Counts {
    /// Instructions of each region that the program marked, in order.
    pub regions: Vec<u64>,
    /// What each of them moved, where caches were simulated.
    pub moved: Vec<Moved>,
    /// Instructions of the whole program, its start included.
    pub total: u64,
}

/// The plugin, built; it goes with the value.
pub struct Counter {
    plugin: PathBuf,
    work: Scratch,
}

impl Counter {
    /// Builds the plugin for the emulator that is installed.
    pub fn build() -> Result<Self> {
        ensure!(
            takes_plugins()?,
            "{EMULATOR} takes no plugins, and instructions are counted by one; statically linked builds have none: \
             use the qemu-user of Debian 12, or a QEMU configured with --enable-plugins"
        );
        let version = process::capture(Command::new(EMULATOR).arg("--version"))?;
        let api = interface(&version)
            .with_context(|| format!("{EMULATOR} has a strange version: {}", version.trim_end()))?;
        let work = Scratch::beside(&build::target_dir()?.join("count"))?;
        let plugin = work.path.join("count.so");
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]);
        cc.arg(format!("-DAPI={api}")).arg("-o").arg(&plugin);
        process::run(cc.arg(repo::root()?.join("xtask/plugin/count.c")))?;
        Ok(Self { plugin, work })
    }

    /// Runs an ARM program on an emulated core; what was counted, and what it printed.
    pub fn run(&self, cpu: &str, program: &Path, arguments: &[String]) -> Result<(Counts, String)> {
        self.run_with("", cpu, program, arguments)
    }

    /// The same with the core's data caches, several times as slow.
    pub fn run_with_caches(
        &self,
        cpu: &str,
        program: &Path,
        arguments: &[String],
    ) -> Result<(Counts, String)> {
        let [first, second] = caches(cpu)?;
        let levels = [("l1", first), ("l2", second)];
        let options = levels.map(|(level, [kib, ways])| format!(",{level}={kib}:{ways}"));
        self.run_with(&options.concat(), cpu, program, arguments)
    }

    fn run_with(
        &self,
        options: &str,
        cpu: &str,
        program: &Path,
        arguments: &[String],
    ) -> Result<(Counts, String)> {
        let out = self.work.path.join("counts");
        let mut emulator = Command::new(EMULATOR);
        emulator
            .arg("-plugin")
            .arg(format!(
                "{},out={}{options}",
                word(&self.plugin),
                word(&out)
            ))
            .args(["-cpu", cpu, "-L"])
            .arg(root(&self.work.path, cpu)?)
            .arg(program)
            .args(arguments);
        eprintln!("$ {}", process::line(&emulator));
        let printed = process::capture(&mut emulator)?;
        let text = fs::read_to_string(&out)
            .with_context(|| format!("the plugin did not write {}", out.display()))?;
        Ok((parse(&text)?, printed))
    }
}

/// Kibibytes and ways of a core's first and second level.
pub fn caches(cpu: &str) -> Result<[[usize; 2]; 2]> {
    let mut found = CACHES.iter().filter(|(name, _, _)| *name == cpu);
    let (_, first, second) = found
        .next()
        .with_context(|| format!("{cpu} is not among the cores"))?;
    Ok([*first, *second])
}

/// A root for the emulator, below `dir`: the target's C library, and the core's own `/proc/cpuinfo`.
fn root(dir: &Path, cpu: &str) -> Result<PathBuf> {
    let (_, part, features) = CORES
        .iter()
        .find(|(name, _, _)| *name == cpu)
        .with_context(|| format!("{cpu} is not among the cores"))?;
    let root = dir.join(cpu);
    if root.is_dir() {
        return Ok(root);
    }
    fs::create_dir_all(root.join("proc"))?;
    fs::write(root.join("proc/cpuinfo"), cpuinfo(part, features))?;
    // On ARM itself there is none, and the emulator falls back on the machine's own.
    let libraries = Path::new(cross::LIBC).join("lib");
    if libraries.is_dir() {
        symlink(libraries, root.join("lib"))?;
    }
    Ok(root)
}

fn cpuinfo(part: &str, features: &str) -> String {
    format!(
        "processor\t: 0\nBogoMIPS\t: 100.00\nFeatures\t: {features}\nCPU implementer\t: 0x41\nCPU architecture: 8\n\
         CPU variant\t: 0x0\nCPU part\t: {part}\nCPU revision\t: 4\n\n"
    )
}

/// Whether the emulator that is installed takes plugins.
pub fn takes_plugins() -> Result<bool> {
    let help = process::capture(Command::new(EMULATOR).arg("-h"))?;
    Ok(help.lines().any(|line| line.starts_with("-plugin")))
}

/// The version of the plugin interface, by the emulator's: `qemu-aarch64 version 7.2.22 (Debian ...)`.
fn interface(version: &str) -> Option<u32> {
    let number = version.split("version ").nth(1)?;
    let mut parts = number.split(|c: char| !c.is_ascii_digit());
    let release: (u32, u32) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(match release {
        (..9, _) => 1,
        (9, 0) => 2,
        (9, 1) => 3,
        _ => 4,
    })
}

/// A path inside an option of QEMU's, where a comma ends a value and two stand for one.
fn word(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

/// What the plugin wrote.
fn parse(text: &str) -> Result<Counts> {
    let (mut regions, mut moved, mut total) = (Vec::new(), Vec::new(), None);
    for line in text.lines() {
        let count = |word: &str| -> Result<u64> {
            word.parse()
                .with_context(|| format!("the plugin wrote {line:?}"))
        };
        match line.split_once(' ') {
            Some(("region", number)) => regions.push(count(number)?),
            Some(("moved", numbers)) => {
                let numbers = numbers.split(' ').map(count).collect::<Result<Vec<_>>>()?;
                let [first_level_misses, read, written] = numbers[..] else {
                    bail!("the plugin wrote {line:?}");
                };
                moved.push(Moved {
                    first_level_misses,
                    bytes_beyond: read + written,
                });
            }
            Some(("total", number)) => total = Some(count(number)?),
            _ => bail!("the plugin wrote {line:?}"),
        }
    }
    Ok(Counts {
        regions,
        moved,
        total: total.context("the plugin wrote no total: the program did not end by itself")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read() {
        let counts = parse("region 31\nregion 6000032\ntotal 18085379\n").unwrap();
        assert_eq!(counts.regions, [31, 6_000_032]);
        assert_eq!(counts.total, 18_085_379);
        assert!(parse("total 5").unwrap().regions.is_empty());
        let counts = parse("moved 7 640 64\nregion 31\ntotal 40\n").unwrap();
        let moved = Moved {
            first_level_misses: 7,
            bytes_beyond: 704,
        };
        assert_eq!((counts.regions, counts.moved), (vec![31], vec![moved]));
    }

    #[test]
    fn what_is_not_a_count_is_shown() {
        for (text, word) in [
            ("", "no total"),
            ("region 31\n", "no total"),
            ("region x\ntotal 1\n", "region x"),
            ("region -1\ntotal 1\n", "region -1"),
            ("block 7\ntotal 1\n", "block 7"),
            ("moved 7 8\ntotal 1\n", "moved 7 8"),
            ("total\n", "total"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(word), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_interface_follows_the_emulator() {
        let version =
            |number: &str| interface(&format!("qemu-aarch64 version {number}\nCopyright"));
        assert_eq!(version("7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)"), Some(1));
        assert_eq!(version("8.2.2"), Some(1));
        assert_eq!(version("9.0.4"), Some(2));
        assert_eq!(version("9.1.0"), Some(3));
        assert_eq!(version("10.0.2"), Some(4));
        assert_eq!(interface("qemu"), None);
        assert_eq!(version("new"), None);
    }

    #[test]
    fn every_core_has_its_own_file() {
        let scratch = Scratch::beside(&std::env::temp_dir().join("ocellus-xtask-root")).unwrap();
        for cpu in cross::CPUS {
            let root = root(&scratch.path, cpu).unwrap();
            let text = fs::read_to_string(root.join("proc/cpuinfo")).unwrap();
            let dot_product = text.contains("asimddp");
            assert_eq!(dot_product, cpu == "cortex-a76", "{text}");
            assert!(text.contains("\nCPU part\t: 0xd"), "{text}");
        }
        assert!(root(&scratch.path, "cortex-a7").is_err());
    }

    #[test]
    fn the_plugin_is_good_c_for_every_interface() {
        let plugin = repo::root().unwrap().join("xtask/plugin/count.c");
        for api in 1..=4 {
            let mut cc = Command::new("cc");
            cc.args(["-fsyntax-only", "-Wall", "-Wextra", "-Werror"]);
            let checked = process::capture(cc.arg(format!("-DAPI={api}")).arg(&plugin));
            assert_eq!(checked.unwrap(), "");
        }
    }

    #[test]
    fn the_plugin_watches_for_the_marks_that_programs_make() {
        let root = repo::root().unwrap();
        let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
        let (plugin, marks) = (
            read("xtask/plugin/count.c"),
            read("runtime/sys/src/mark.rs"),
        );
        for name in ["BEGIN", "END"] {
            let number = marks
                .lines()
                .find_map(|line| line.strip_prefix(&format!("const {name}: i32 = ")))
                .unwrap();
            let number = number.trim_end_matches(';').replace('_', "");
            assert!(plugin.contains(&format!(" {name} = {number},")), "{number}");
        }
    }

    #[test]
    fn a_comma_in_a_path_is_written_twice() {
        assert_eq!(word(Path::new("/a,b/c.so")), "/a,,b/c.so");
    }
}
