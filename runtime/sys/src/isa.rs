//! The one place where the proof of an instruction set is made.
//!
//! The kernel's capability bits are the source, not a core's identification register: they hold for every core of a
//! mixed cluster, and they are what an emulator or a virtual machine really offers.

use ocellus_kernels::Isa;

/// The best instruction set of this CPU that there are kernels for.
#[cfg(target_arch = "aarch64")]
pub fn detect() -> Isa {
    use ocellus_kernels::{DotProd, Neon};
    use std::arch::is_aarch64_feature_detected;

    if !is_aarch64_feature_detected!("neon") {
        return Isa::Scalar;
    }
    if is_aarch64_feature_detected!("dotprod") && is_aarch64_feature_detected!("fp16") {
        // SAFETY: all three features were detected above.
        return Isa::DotProd(unsafe { DotProd::assume() });
    }
    // SAFETY: neon was detected above.
    Isa::Neon(unsafe { Neon::assume() })
}

/// The best instruction set of this CPU that there are kernels for: portable code, off 64-bit ARM.
#[cfg(not(target_arch = "aarch64"))]
pub fn detect() -> Isa {
    Isa::Scalar
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocellus_kernels::Tier;

    #[test]
    fn detection_fits_the_core() {
        let tier = detect().tier();
        match crate::cpu_name().as_str() {
            "Cortex-A53" | "Cortex-A57" | "Cortex-A72" => assert_eq!(tier, Tier::Neon),
            "Cortex-A76" | "Cortex-A78AE" => assert_eq!(tier, Tier::DotProd),
            _ if cfg!(target_arch = "aarch64") => assert!(tier >= Tier::Neon),
            _ => assert_eq!(tier, Tier::Scalar),
        }
    }
}
