//! The default bundle's bytes, for programs that carry it inside.
//!
//! One static a file, aligned to a cache line, so that weights can be used where they lie. The list is the folder's: a test
//! holds it against the manifest. Nothing here is parsed; `ocellus::Bundle::embedded` does that.
#![no_std]
#![forbid(unsafe_code)]

/// Gives bytes the alignment of a cache line.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

/// The bytes of one file of `default/`, aligned.
macro_rules! file {
    ($name:literal) => {{
        static FILE: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!("../default/", $name)));
        ($name, &FILE.0)
    }};
}

/// The default bundle: file names and contents, the manifest first.
pub static DEFAULT: &[(&str, &[u8])] = &[
    file!("manifest.toml"),
    file!("classes.txt"),
    file!("golden.png"),
    file!("golden.safetensors"),
    file!("head.safetensors"),
    file!("image.onnx"),
    file!("text.onnx"),
    file!("vocab.txt"),
];

#[cfg(test)]
mod tests {
    extern crate std;
    use super::DEFAULT;

    #[test]
    fn the_list_is_the_manifests_and_small_enough_to_ship() {
        let manifest = core::str::from_utf8(DEFAULT[0].1).expect("UTF-8");
        for (name, bytes) in &DEFAULT[1..] {
            assert!(
                manifest.contains(&std::format!("name = \"{name}\"")),
                "{name} is not in the manifest"
            );
            assert_eq!(bytes.as_ptr() as usize % 64, 0, "{name} is not aligned");
        }
        assert_eq!(manifest.matches("[[file]]").count(), DEFAULT.len() - 1);
        let total: usize = DEFAULT.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(total <= 10 << 20, "{total} bytes, the limit is 10 MiB");
    }
}
