//! Pages and the memory that was used.

use std::fs;

/// The largest page of any 64-bit ARM kernel: what is aligned to it suits every kernel.
const LARGEST_PAGE_BYTES: usize = 65_536;

/// The size of a memory page in bytes: a power of two, 4096 on most boards, 16 384 on a Raspberry Pi 5.
pub fn page_size() -> usize {
    // SAFETY: sysconf reads no memory of ours, and any name is allowed.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| bytes.is_power_of_two())
        .unwrap_or(LARGEST_PAGE_BYTES)
}

/// The most memory this process has held at one time, in bytes; `None` where `/proc/self/status` does not say.
/// Under user-mode emulation it is the emulator's.
pub fn peak_rss_bytes() -> Option<u64> {
    let status = fs::read("/proc/self/status").ok()?;
    high_water_bytes(&String::from_utf8_lossy(&status))
}

/// The line `VmHWM:      1700 kB`, in bytes.
fn high_water_bytes(status: &str) -> Option<u64> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_power_of_two() {
        let bytes = page_size();
        assert!(bytes.is_power_of_two() && (4096..=LARGEST_PAGE_BYTES).contains(&bytes));
    }

    #[test]
    fn the_high_water_mark_is_read_or_absent() {
        let cases = [
            (
                "Name:\tx\nVmHWM:\t    1700 kB\nVmRSS:\t 1 kB\n",
                Some(1_740_800),
            ),
            ("VmHWM:\t0 kB", Some(0)),
            ("VmRSS:\t1700 kB", None),
            ("VmHWM:\t1700", None),
            ("VmHWM:\t-3 kB", None),
            ("VmHWM:\t18446744073709551615 kB", None),
            ("", None),
        ];
        for (status, expected) in cases {
            assert_eq!(high_water_bytes(status), expected, "{status:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_high_water_mark_rises_with_use() {
        let before = peak_rss_bytes().unwrap();
        let used = vec![1_u8; 64 << 20];
        let after = peak_rss_bytes().unwrap();
        assert!(used.iter().all(|&byte| byte == 1));
        assert!(after >= before.max(32 << 20), "{before} -> {after}");
    }
}
