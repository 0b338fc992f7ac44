//! SHA-256 as `sha256sum` writes it.

use sha2::{Digest, Sha256};

/// The hash of some bytes, 64 hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
