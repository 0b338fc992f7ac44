//! What a board needs to boot that its profile does not know: firmware, device trees, kernel modules.
//!
//! Names are those of Debian's packages. A device tree is picked by the firmware, which knows the models of a family
//! apart; where it would look for another name than the kernel's, the board's lines of `config.txt` say it.

use ocellus_boards::Profile;

/// What one family of boards needs.
pub struct Boot {
    /// Which profile it belongs to.
    id: &'static str,
    /// Files of the firmware's package.
    pub firmware: &'static [&'static str],
    /// Device trees of the kernel's package.
    pub device_trees: &'static [&'static str],
    /// Lines of `config.txt` that only this family has.
    pub config: &'static str,
    /// Modules beside those of every board.
    modules: &'static [&'static str],
}

/// Card, file system, watchdog, lights, pins and buses, USB cameras.
const MODULES: [&str; 17] = [
    "sdhci-iproc",
    "bcm2835",
    "nls_cp437",
    "nls_ascii",
    "vfat",
    "bcm2835_wdt",
    "leds-gpio",
    "ledtrig-timer",
    "i2c-bcm2835",
    "i2c-dev",
    "pwm-bcm2835",
    "clk-raspberrypi",
    "raspberrypi-cpufreq",
    "bcm2835-rng",
    "phy-generic",
    "dwc2",
    "uvcvideo",
];

const BOARDS: [Boot; 3] = [
    Boot {
        id: "rpi-zero-2-w",
        firmware: OLDER_FIRMWARE,
        device_trees: &["bcm2837-rpi-zero-2-w.dtb"],
        config: "device_tree=bcm2837-rpi-zero-2-w.dtb\n",
        modules: &["bcm2835_thermal"],
    },
    Boot {
        id: "rpi-3",
        firmware: OLDER_FIRMWARE,
        device_trees: &[
            "bcm2837-rpi-3-a-plus.dtb",
            "bcm2837-rpi-3-b-plus.dtb",
            "bcm2837-rpi-3-b.dtb",
            "bcm2837-rpi-cm3-io3.dtb",
        ],
        config: "[cm3]\ndevice_tree=bcm2837-rpi-cm3-io3.dtb\n[cm3+]\ndevice_tree=bcm2837-rpi-cm3-io3.dtb\n[all]\n",
        modules: &["bcm2835_thermal"],
    },
    Boot {
        id: "rpi-4",
        firmware: &["start4.elf", "fixup4.dat"],
        device_trees: &[
            "bcm2711-rpi-4-b.dtb",
            "bcm2711-rpi-400.dtb",
            "bcm2711-rpi-cm4-io.dtb",
        ],
        config: "[cm4]\ndevice_tree=bcm2711-rpi-cm4-io.dtb\n[all]\n",
        modules: &[
            "fixed",
            "gpio-regulator",
            "reset-raspberrypi",
            "iproc-rng200",
            "bcm2711_thermal",
            "xhci-pci",
        ],
    },
];

/// Before the Pi 4, the first stage lies on the card too.
const OLDER_FIRMWARE: &[&str] = &["bootcode.bin", "start.elf", "fixup.dat"];

/// A board that no card can be made for.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Unsupported {
    /// The suite's kernel is older than the board.
    #[error(
        "{id}: the kernel of Debian {suite} does not know the {name}; write Raspberry Pi OS (64-bit) to a card with its own \
         imager, then `cargo xtask deploy --board {id} --host USER@HOST`"
    )]
    NewerThanKernel {
        /// The board's id.
        id: String,
        /// What people call it.
        name: String,
        /// The suite that packages come from.
        suite: &'static str,
    },
    /// The board boots what its maker's own tool wrote.
    #[error(
        "{id}: a Jetson starts through NVIDIA's own boot chain, which only NVIDIA's SDK Manager (or flash.sh of Jetson Linux) \
         writes; do that first, then `cargo xtask deploy --board {id} --host USER@HOST`"
    )]
    OwnTool {
        /// The board's id.
        id: String,
    },
}

impl Boot {
    /// What a board needs.
    ///
    /// # Errors
    /// [`Unsupported`], with the way that there is.
    pub fn of(profile: &Profile) -> Result<&'static Boot, Unsupported> {
        let id = profile.id.clone();
        match BOARDS.iter().find(|boot| boot.id == id) {
            Some(boot) => Ok(boot),
            None if id.starts_with("jetson") => Err(Unsupported::OwnTool { id }),
            None => Err(Unsupported::NewerThanKernel {
                id,
                name: profile.name.clone(),
                suite: super::packages::SUITE,
            }),
        }
    }

    /// All modules that it needs.
    pub fn modules(&self) -> Vec<&'static str> {
        [&MODULES[..], self.modules].concat()
    }

    /// What the firmware reads first.
    pub fn config(&self) -> String {
        format!(
            "# Written by `cargo xtask flash` for {}.\n\
             arm_64bit=1\n\
             # Device trees by the names of the kernel's own developers.\n\
             upstream_kernel=1\n\
             kernel={KERNEL}\n\
             initramfs {INITRAMFS} followkernel\n\
             # The serial console on pins 8 (out) and 10 (in), at 115200 baud.\n\
             enable_uart=1\n\
             # Nothing is drawn but text: the memory is for inference.\n\
             gpu_mem=32\n\
             disable_splash=1\n\
             boot_delay=0\n\
             {}",
            self.id, self.config
        )
    }
}

/// The kernel on the boot partition.
pub const KERNEL: &str = "vmlinuz";

/// The first file system on the boot partition.
pub const INITRAMFS: &str = "initrd.img";

/// What the kernel is told. The last console is the one that the first program writes to; a kernel that panics starts
/// the board again.
pub const COMMAND_LINE: &str = "console=tty0 console=ttyS1,115200 quiet loglevel=4 panic=10\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn of(id: &str) -> Result<&'static Boot, Unsupported> {
        Boot::of(Profile::find(id).unwrap())
    }

    #[test]
    fn a_board_that_no_card_can_be_made_for_is_told_the_way_there_is() {
        for (id, way) in [
            ("rpi-5", "cargo xtask deploy --board rpi-5"),
            ("jetson-nano", "NVIDIA's SDK Manager"),
            (
                "jetson-orin-nano",
                "cargo xtask deploy --board jetson-orin-nano",
            ),
        ] {
            let error = of(id).err().unwrap().to_string();
            assert!(error.contains(way), "{error}");
        }
    }

    #[test]
    fn every_board_of_bookworm_s_kernel_has_what_its_first_stage_loads() {
        for id in ["rpi-zero-2-w", "rpi-3", "rpi-4"] {
            let boot = of(id).unwrap();
            assert!(boot.firmware.iter().any(|file| file.starts_with("start")));
            let named = boot
                .config()
                .contains("kernel=vmlinuz\ninitramfs initrd.img ");
            assert!(named, "{id}");
            let trees = boot
                .config
                .lines()
                .filter_map(|line| line.split_once("device_tree="));
            for (_, tree) in trees {
                assert!(boot.device_trees.contains(&tree), "{id}: {tree}");
            }
        }
    }
}
