//! Instructions that not every board has may stand in functions only that are chosen when the program runs.
//!
//! The base is ARMv8.0 with NEON: what a Cortex-A53 has. This reads a disassembly and names what is newer, by mnemonic:
//! dot products and matrix products of bytes, arithmetic in half precision, atomics of ARMv8.1, rounding multiplies.
//!
//! Limits: a mnemonic that is not listed here passes. The suites that run on an emulated Cortex-A53 meet it.

use anyhow::{Result, bail};
use std::collections::BTreeSet;

/// Parts of the names of functions that are called only where the processor was asked first.
const TIERED: [&str; 8] = [
    // Ours: whoever calls them holds the proof.
    "dotprod",
    // tract's, chosen by its own detection.
    "arm64simd_mmm_i32_8x8_dot",
    "arm64fp16",
    "aarch64fp16",
    "sve_",
    "tract_linalg5arm647add_f16",
    // half's, behind a detected feature.
    "_fp16",
    // The compiler's atomics, which look at the processor at each call.
    "__aarch64_",
];

const BYTE_PRODUCTS: [&str; 9] = [
    "sdot", "udot", "usdot", "sudot", "smmla", "ummla", "usmmla", "bfdot", "bfmmla",
];
const ATOMICS: [&str; 10] = [
    "cas", "swp", "ldadd", "ldclr", "ldset", "ldeor", "ldsmax", "ldsmin", "ldumax", "ldumin",
];
const OTHERS: [&str; 7] = [
    "sqrdmlah", "sqrdmlsh", "ldapr", "fjcvtzs", "fmlal", "fmlsl", "fcmla",
];

/// The functions with instructions beyond the base, all of which are chosen at run time.
pub fn tiered(disassembly: &str) -> Result<BTreeSet<&str>> {
    let mut function = "";
    let mut found = BTreeSet::new();
    for line in disassembly.lines() {
        if let Some(name) = line
            .strip_suffix(">:")
            .and_then(|label| label.split_once('<'))
        {
            // A label inside of an assembly function begins with a dot.
            if !name.1.starts_with('.') {
                function = name.1;
            }
            continue;
        }
        let Some((_, instruction)) = line.split_once(":\t") else {
            continue;
        };
        let (mnemonic, operands) = instruction.split_once('\t').unwrap_or((instruction, ""));
        if !is_newer(mnemonic.trim(), operands) {
            continue;
        }
        if !TIERED.iter().any(|part| function.contains(part)) {
            bail!(
                "{function} has `{}`, which a Cortex-A53 lacks, and is not among the functions chosen at run time",
                instruction.trim().replace('\t', " ")
            );
        }
        found.insert(function);
    }
    Ok(found)
}

fn is_newer(mnemonic: &str, operands: &str) -> bool {
    let atomic = |stem: &&str| {
        let rest = mnemonic.strip_prefix(*stem);
        rest.is_some_and(|rest| rest.chars().all(|c| "palbh".contains(c)))
    };
    if BYTE_PRODUCTS.contains(&mnemonic) || OTHERS.contains(&mnemonic) || ATOMICS.iter().any(atomic)
    {
        return true;
    }
    // Conversions between half and single precision are in the base; nothing else in half precision is.
    mnemonic.starts_with('f') && !mnemonic.starts_with("fcvt") && operands.split(", ").any(is_half)
}

/// A register of half-precision lanes, or the low half of one.
fn is_half(operand: &str) -> bool {
    let operand = operand.trim_start_matches('{');
    let lanes = operand.contains(".8h") || operand.contains(".4h") || operand.contains(".h[");
    let scalar = operand
        .strip_prefix('h')
        .is_some_and(|number| number.parse::<u32>().is_ok());
    lanes || scalar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(function: &str, instruction: &str) -> String {
        format!(
            "0000000000001000 <{function}>:\n    1000:\tnop\n0000000000001004 <.loop>:\n    1004:\t{instruction}\n"
        )
    }

    #[test]
    fn newer_instructions_keep_to_functions_that_are_chosen() {
        for instruction in [
            "sdot\tv0.4s, v1.16b, v2.4b[0]",
            "fmla\tv0.8h, v1.8h, v2.8h",
            "fadd\th0, h1, h2",
            "casal\tw0, w1, [x2]",
            "ldaddl\tx0, x1, [x2]",
            "swpb\tw0, w1, [x2]",
        ] {
            let chosen = code("qs8_gemm_6x16_dotprod", instruction);
            assert_eq!(tiered(&chosen).unwrap().len(), 1, "{instruction}");
            let error = tiered(&code("main", instruction)).unwrap_err().to_string();
            assert!(error.starts_with("main has"), "{error}");
        }
    }

    #[test]
    fn the_base_is_everywhere() {
        for instruction in [
            "smlal\tv0.8h, v1.8b, v2.8b",
            "fcvtl\tv0.4s, v1.4h",
            "fcvt\ts0, h1",
            "fmla\tv0.4s, v1.4s, v2.4s",
            "ldaxr\tw0, [x1]",
            "cbz\tx0, 1000 <main>",
            "ret",
        ] {
            assert!(
                tiered(&code("main", instruction)).unwrap().is_empty(),
                "{instruction}"
            );
        }
    }
}
