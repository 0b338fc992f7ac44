//! The names and the number of the cores.
//!
//! 64-bit ARM kernels give no model name, only the implementer and part numbers of each core's identification
//! register (MIDR_EL1), so the names of the cores that boards have are in a table here.
//!
//! Limits: a name is for people and reports; nothing is decided by it.

use std::{fs, num::NonZero, thread};

/// The name where there is none.
pub(crate) const UNKNOWN: &str = "unknown";

/// How many cores this process may use: at least 1, and fewer than the machine has where affinity or a control group
/// says so.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// What the cores are called, e.g. `Cortex-A76`; each kind once, joined by ` + `, in a mixed cluster. `unknown` where
/// the machine does not say.
pub fn cpu_name() -> String {
    let cpuinfo = fs::read("/proc/cpuinfo").unwrap_or_default();
    name_from(&String::from_utf8_lossy(&cpuinfo), own_part())
}

/// Names the cores of a `/proc/cpuinfo`; `own` is the part of the core that asks.
fn name_from(cpuinfo: &str, own: Option<Part>) -> String {
    // User-mode emulators pass the host's file through: the register is right where the file is another machine's.
    let name = arm_name(cpuinfo).or(own.map(Part::name));
    let or_model = || values_of(cpuinfo, "model name").next().map(str::to_owned);
    name.or_else(or_model).unwrap_or_else(|| UNKNOWN.to_owned())
}

/// Names the ARM cores of a `/proc/cpuinfo`, if it has any.
pub(crate) fn arm_name(cpuinfo: &str) -> Option<String> {
    let names: Vec<String> = parts_of(cpuinfo).into_iter().map(Part::name).collect();
    (!names.is_empty()).then(|| names.join(" + "))
}

/// A kind of core, as its identification register has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// Bits 31..24 of MIDR_EL1.
    implementer: u32,
    /// Bits 15..4 of MIDR_EL1.
    part: u32,
}

impl Part {
    #[cfg(any(target_arch = "aarch64", test))]
    fn from_midr(midr: u64) -> Part {
        Part {
            implementer: (midr >> 24) as u32 & 0xff,
            part: (midr >> 4) as u32 & 0xfff,
        }
    }

    fn name(self) -> String {
        let known = match (self.implementer, self.part) {
            (0x41, 0xd03) => "Cortex-A53",
            (0x41, 0xd04) => "Cortex-A35",
            (0x41, 0xd05) => "Cortex-A55",
            (0x41, 0xd07) => "Cortex-A57",
            (0x41, 0xd08) => "Cortex-A72",
            (0x41, 0xd09) => "Cortex-A73",
            (0x41, 0xd0a) => "Cortex-A75",
            (0x41, 0xd0b) => "Cortex-A76",
            (0x41, 0xd0c) => "Neoverse-N1",
            (0x41, 0xd0d) => "Cortex-A77",
            (0x41, 0xd40) => "Neoverse-V1",
            (0x41, 0xd41) => "Cortex-A78",
            (0x41, 0xd42) => "Cortex-A78AE",
            (0x41, 0xd49) => "Neoverse-N2",
            (0x41, 0xd4f) => "Neoverse-V2",
            (0x4e, 0x003) => "Denver 2",
            (0x4e, 0x004) => "Carmel",
            (implementer, part) => {
                return format!("implementer 0x{implementer:02x} part 0x{part:03x}");
            }
        };
        known.to_string()
    }
}

/// The kinds of core in a `/proc/cpuinfo`, each once, in order of appearance.
fn parts_of(cpuinfo: &str) -> Vec<Part> {
    let hexadecimal = |text: &str| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    let implementers = values_of(cpuinfo, "CPU implementer").map(hexadecimal);
    let numbers = values_of(cpuinfo, "CPU part").map(hexadecimal);
    let mut parts = Vec::new();
    for pair in implementers.zip(numbers) {
        if let (Some(implementer), Some(part)) = pair {
            let part = Part { implementer, part };
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
    }
    parts
}

/// The values of every line `key : value`.
pub(crate) fn values_of<'a>(cpuinfo: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(move |(name, _)| name.trim_end() == key)
        .map(|(_, value)| value.trim())
}

/// The part of the core that runs this, where the system lets a program read it.
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
fn own_part() -> Option<Part> {
    // SAFETY: getauxval reads the process's own auxiliary vector; an unknown key gives 0.
    let capabilities = unsafe { libc::getauxval(libc::AT_HWCAP) };
    if capabilities & libc::HWCAP_CPUID == 0 {
        return None;
    }
    let midr: u64;
    // SAFETY: HWCAP_CPUID, checked above, says that the system lets programs read the identification registers.
    unsafe {
        core::arch::asm!("mrs {}, midr_el1", out(reg) midr, options(nomem, nostack, preserves_flags));
    }
    Some(Part::from_midr(midr))
}

#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
fn own_part() -> Option<Part> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core(implementer: &str, part: &str) -> String {
        format!(
            "processor\t: 0\nBogoMIPS\t: 108.00\nCPU implementer\t: {implementer}\nCPU architecture: 8\n\
             CPU variant\t: 0x4\nCPU part\t: {part}\nCPU revision\t: 1\n\n"
        )
    }

    #[test]
    fn cores_are_named_once_each() {
        let pi5 = core("0x41", "0xd0b").repeat(4) + "Model\t\t: Raspberry Pi 5 Model B Rev 1.0\n";
        assert_eq!(name_from(&pi5, None), "Cortex-A76");
        let xavier = core("0x4e", "0x004").repeat(6);
        assert_eq!(name_from(&xavier, None), "Carmel");
        let mixed = core("0x41", "0xd03").repeat(4) + &core("0x41", "0xd08").repeat(2);
        assert_eq!(name_from(&mixed, None), "Cortex-A53 + Cortex-A72");
        let other = core("0x61", "0x022");
        assert_eq!(name_from(&other, None), "implementer 0x61 part 0x022");
    }

    #[test]
    fn another_machines_file_does_not_name_an_arm_core() {
        let host = "vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\n";
        assert_eq!(name_from(host, None), "AMD EPYC");
        let a53 = Part::from_midr(0x410f_d034);
        assert_eq!(name_from(host, Some(a53)), "Cortex-A53");
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        for cpuinfo in [
            "",
            "CPU part",
            "CPU implementer: 65\nCPU part: x\n",
            ":::\n",
        ] {
            assert_eq!(name_from(cpuinfo, None), "unknown", "{cpuinfo:?}");
        }
    }

    #[test]
    fn this_machine_answers() {
        assert!(!cpu_name().is_empty());
        assert!(cores() >= 1);
    }
}
