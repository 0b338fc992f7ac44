//! Folders that vanish, so that what is half done is never mistaken for a result.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of this process; it goes with the value.
pub struct Scratch {
    /// Where it is.
    pub path: PathBuf,
}

impl Scratch {
    /// Beside `result`, on the same file system, so that what is done in it can be moved there in one step.
    pub fn beside(result: &Path) -> Result<Self> {
        let name = result.file_name().context("a path without a name")?;
        let name = format!("{}.", name.to_string_lossy());
        let parent = result.parent().context("a path without a folder")?;
        fs::create_dir_all(parent)
            .with_context(|| format!("cannot create {}", parent.display()))?;
        for entry in fs::read_dir(parent)?.filter_map(Result::ok) {
            let other = entry.file_name().to_string_lossy().into_owned();
            let owner = other
                .strip_prefix(&name)
                .and_then(|pid| pid.parse::<u32>().ok());
            // Who was killed could not clean up.
            if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let path = parent.join(format!("{name}{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left over is only disk space.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_killed_left_behind_goes() {
        let dir = Scratch::beside(&std::env::temp_dir().join("ocellus-xtask-killed")).unwrap();
        let dead = dir.path.join("std.4294967295");
        fs::create_dir(&dead).unwrap();
        fs::create_dir(dir.path.join("std.other")).unwrap();
        let scratch = Scratch::beside(&dir.path.join("std")).unwrap();
        assert!(!dead.exists());
        assert!(dir.path.join("std.other").exists());
        let path = scratch.path.clone();
        assert!(path.is_dir());
        drop(scratch);
        assert!(!path.exists());
    }
}
