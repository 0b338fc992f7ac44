//! What a Linux machine says of itself, below any root: this one's, or a copy of another's `/proc` and `/sys`.

use crate::{cpu, memory};
use std::{fs, path::Path};

/// What a machine says of itself. What it does not say is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The device tree's model, e.g. `Raspberry Pi 4 Model B Rev 1.4`. PCs have none.
    pub model: Option<String>,
    /// What its cores are called, e.g. `Cortex-A72`.
    pub core: Option<String>,
    /// How many cores are online, whatever this process may use.
    pub cores_online: Option<usize>,
    /// Capabilities that every core has, by the kernel's names, e.g. `asimddp`.
    pub features: Vec<String>,
    /// Bytes of a page; of this machine only.
    pub page_bytes: Option<usize>,
    /// Memory that the kernel can use, in MiB.
    pub ram_mib: Option<u64>,
    /// The version of the C library, e.g. `2.36`; of this machine only.
    pub glibc: Option<String>,
}

impl Machine {
    /// This machine.
    pub fn this() -> Machine {
        let mut machine = Machine::below(Path::new("/"));
        let name = cpu::cpu_name();
        machine.core = (name != cpu::UNKNOWN).then_some(name);
        machine.page_bytes = Some(memory::page_size());
        machine.glibc = glibc();
        machine
    }

    /// The machine whose `proc` and `sys` lie below a folder.
    pub fn below(root: &Path) -> Machine {
        let read = |path: &str| {
            let bytes = fs::read(root.join(path)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let cpuinfo = read("proc/cpuinfo");
        let features = cpu::values_of(&cpuinfo, "Features")
            .next()
            .unwrap_or_default();
        let model = read("proc/device-tree/model");
        let model = model.trim_end_matches(['\0', '\n']);
        Machine {
            model: (!model.is_empty()).then(|| model.to_owned()),
            core: cpu::arm_name(&cpuinfo),
            cores_online: count(read("sys/devices/system/cpu/online").trim()),
            features: features.split_whitespace().map(str::to_owned).collect(),
            page_bytes: None,
            ram_mib: memory_mib(&read("proc/meminfo")),
            glibc: None,
        }
    }
}

/// How many numbers are in a list of the kernel, such as `0-3,6`.
fn count(list: &str) -> Option<usize> {
    let ranges = list.split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        last.checked_sub(first)?.checked_add(1)
    });
    ranges.sum()
}

fn memory_mib(meminfo: &str) -> Option<u64> {
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kib / 1024)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn glibc() -> Option<String> {
    // SAFETY: glibc returns a string with a NUL that lives as long as the process.
    let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    version.to_str().ok().map(str::to_owned)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn glibc() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_the_kernel_are_counted() {
        for (list, number) in [("0", 1), ("0-3", 4), ("0-1,4,6-7", 5)] {
            assert_eq!(count(list), Some(number), "{list}");
        }
        for list in ["", "a", "3-0", "0-", "0-18446744073709551615"] {
            assert_eq!(count(list), None, "{list}");
        }
    }

    #[test]
    fn memory_is_read() {
        let meminfo = "MemTotal:        3885396 kB\nMemFree:  1 kB\n";
        assert_eq!(memory_mib(meminfo), Some(3794));
        assert_eq!(memory_mib("MemTotal: many"), None);
    }

    #[test]
    fn an_empty_folder_says_nothing() {
        let empty = Machine::below(Path::new("/nowhere/at/all"));
        assert_eq!(empty, Machine::default());
    }

    #[test]
    fn this_machine_says_what_it_is_made_of() {
        let machine = Machine::this();
        assert!(machine.core.is_some(), "{machine:?}");
        assert!(
            machine
                .cores_online
                .is_some_and(|cores| cores >= crate::cores())
        );
        assert!(machine.ram_mib.is_some_and(|mib| mib > 64));
        assert_eq!(machine.page_bytes, Some(crate::page_size()));
    }
}
