//! The instruction set as a proof.
//!
//! Whoever holds a [`Neon`] or a [`DotProd`] may call the kernels that need it: the values cannot be made in safe code,
//! so holding one says that somebody looked. `ocellus-sys` looks; this crate only offers the unsafe `assume`.
//! A flag would have to be believed at every call, and a wrong one is SIGILL on a customer's board.
//!
//! Limits: 64-bit ARM only; half-precision arithmetic is part of the dot product tier, because the cores that have one have
//! the other (Cortex-A55, A75, A76, A78AE, Neoverse); i8mm has no tier, because no kernel uses it.

use alloc::string::String;
use core::{fmt, str::FromStr};

/// The instruction set that a kernel call may use, with the proof that this CPU has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Portable code, the specification of every kernel; the compiler vectorises it with what the target promises.
    Scalar,
    /// Armv8.0 Advanced SIMD: Cortex-A53, A57, A72, Carmel.
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    /// SDOT and UDOT of Armv8.2, and its half-precision arithmetic: Cortex-A76, A78AE.
    #[cfg(target_arch = "aarch64")]
    DotProd(DotProd),
}

impl Isa {
    /// What every CPU has that runs this program at all: NEON where the target promises it, as 64-bit Linux on ARM does.
    pub fn promised() -> Isa {
        #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
        // SAFETY: the target promises neon, so code that ran before this one may already have used it.
        return Isa::Neon(unsafe { Neon::assume() });
        #[cfg(not(all(target_arch = "aarch64", target_feature = "neon")))]
        Isa::Scalar
    }

    /// The tier of this instruction set, which is a name without proof.
    pub fn tier(self) -> Tier {
        match self {
            Isa::Scalar => Tier::Scalar,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon(_) => Tier::Neon,
            #[cfg(target_arch = "aarch64")]
            Isa::DotProd(_) => Tier::DotProd,
        }
    }

    /// This instruction set, or the one of `limit` where that is lower. Never raises.
    pub fn at_most(self, limit: Tier) -> Isa {
        if self.tier() <= limit {
            return self;
        }
        #[cfg(target_arch = "aarch64")]
        if let (Isa::DotProd(dotprod), Tier::Neon) = (self, limit) {
            return Isa::Neon(dotprod.neon());
        }
        Isa::Scalar
    }

    /// The name that reports, traces and command lines use: `scalar`, `neon` or `dotprod`.
    pub fn name(self) -> &'static str {
        self.tier().name()
    }
}

/// Proof that the CPU has Armv8.0 Advanced SIMD.
#[cfg(target_arch = "aarch64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neon(());

#[cfg(target_arch = "aarch64")]
impl Neon {
    /// Takes the caller's word for it.
    ///
    /// # Safety
    ///
    /// The CPU that runs every kernel called with this value must have the `neon` feature.
    pub unsafe fn assume() -> Neon {
        Neon(())
    }
}

/// Proof that the CPU has the dot product instructions and half-precision arithmetic, and Advanced SIMD with them.
#[cfg(target_arch = "aarch64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DotProd(());

#[cfg(target_arch = "aarch64")]
impl DotProd {
    /// Takes the caller's word for it.
    ///
    /// # Safety
    ///
    /// The CPU that runs every kernel called with this value must have the `neon`, `dotprod` and
    /// `fp16` features.
    pub unsafe fn assume() -> DotProd {
        DotProd(())
    }

    /// The lesser proof that this one contains.
    pub fn neon(self) -> Neon {
        Neon(())
    }
}

/// What an instruction set is called, ordered from the lowest to the highest. It proves nothing about the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Portable code.
    Scalar,
    /// Armv8.0 Advanced SIMD.
    Neon,
    /// Advanced SIMD with dot product and half-precision arithmetic.
    DotProd,
}

impl Tier {
    /// Every tier, lowest first.
    pub const ALL: [Tier; 3] = [Tier::Scalar, Tier::Neon, Tier::DotProd];

    /// `scalar`, `neon` or `dotprod`.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Scalar => "scalar",
            Tier::Neon => "neon",
            Tier::DotProd => "dotprod",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Tier {
    type Err = UnknownTier;

    fn from_str(text: &str) -> Result<Tier, UnknownTier> {
        Tier::ALL
            .into_iter()
            .find(|tier| tier.name() == text)
            .ok_or_else(|| UnknownTier { got: text.into() })
    }
}

/// A text that names no [`Tier`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTier {
    /// The text.
    pub got: String,
}

impl fmt::Display for UnknownTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "instruction set {:?} is not known; use scalar, neon or dotprod",
            self.got
        )
    }
}

impl core::error::Error for UnknownTier {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_ordered_and_read_back() {
        assert!(Tier::Scalar < Tier::Neon && Tier::Neon < Tier::DotProd);
        for tier in Tier::ALL {
            assert_eq!(tier.to_string().parse(), Ok(tier));
        }
    }

    #[test]
    fn an_unknown_tier_says_what_is_known() {
        for text in ["", "NEON", "sve", " neon"] {
            let error = text.parse::<Tier>().unwrap_err();
            assert_eq!(error.got, text);
            assert!(error.to_string().contains("scalar, neon or dotprod"));
        }
    }

    #[test]
    fn a_limit_lowers_and_never_raises() {
        for limit in Tier::ALL {
            assert_eq!(Isa::Scalar.at_most(limit), Isa::Scalar);
        }
        #[cfg(target_arch = "aarch64")]
        {
            // SAFETY: nothing is run with these values.
            let (neon, dotprod) = unsafe { (Neon::assume(), DotProd::assume()) };
            for limit in Tier::ALL {
                let lowered = Isa::Neon(neon).at_most(limit).tier();
                assert_eq!(lowered, limit.min(Tier::Neon));
                assert_eq!(Isa::DotProd(dotprod).at_most(limit).tier(), limit);
            }
        }
    }

    #[test]
    fn an_isa_is_named_for_its_tier() {
        assert_eq!(Isa::Scalar.name(), "scalar");
    }
}
