//! Kernel modules: which files a name stands for, and in which order they load.

use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of one kernel, by their names.
pub struct Modules {
    files: BTreeMap<String, PathBuf>,
    built_in: BTreeSet<String>,
}

/// A module's file name, and what is in it.
pub type Module = (String, Vec<u8>);

impl Modules {
    /// Those of a kernel's package, which holds one kernel.
    pub fn of(root: &Path) -> Result<Modules> {
        let versions = fs::read_dir(root.join("lib/modules"))?;
        let folder = versions.filter_map(|entry| Some(entry.ok()?.path())).next();
        let folder = folder.context("the package holds no modules")?;
        let mut files = BTreeMap::new();
        collect(&folder.join("kernel"), &mut files)?;
        let list = fs::read_to_string(folder.join("modules.builtin"))?;
        let built_in = list.lines().filter_map(|line| name(Path::new(line)));
        Ok(Modules {
            files,
            built_in: built_in.collect(),
        })
    }

    /// The modules of these names and what they depend on, each after what it depends on.
    pub fn with_dependencies(&self, names: &[&str]) -> Result<Vec<Module>> {
        let mut order = Order {
            modules: self,
            done: BTreeSet::new(),
            ordered: Vec::new(),
        };
        for name in names {
            order
                .add(&bare(name))
                .with_context(|| format!("kernel module {name}"))?;
        }
        Ok(order.ordered)
    }
}

struct Order<'a> {
    modules: &'a Modules,
    done: BTreeSet<String>,
    ordered: Vec<Module>,
}

impl Order<'_> {
    fn add(&mut self, name: &str) -> Result<()> {
        if self.modules.built_in.contains(name) || !self.done.insert(name.to_owned()) {
            return Ok(());
        }
        let Some(file) = self.modules.files.get(name) else {
            bail!("this kernel has no {name}");
        };
        let bytes = fs::read(file).with_context(|| file.display().to_string())?;
        for needed in depends(&bytes) {
            self.add(&bare(&needed))?;
        }
        self.ordered.push((format!("{name}.ko"), bytes));
        Ok(())
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if let Some(name) = name(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

/// The name of the module that a file is.
fn name(file: &Path) -> Option<String> {
    Some(bare(file.file_name()?.to_str()?.strip_suffix(".ko")?))
}

/// The kernel makes no difference between the two.
fn bare(name: &str) -> String {
    name.replace('-', "_")
}

/// The names that a module's own description gives as its dependencies.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let found = module.windows(KEY.len()).position(|bytes| bytes == KEY);
    let value = found.map_or(&[][..], |at| &module[at + KEY.len()..]);
    let value = value.split(|byte| *byte == 0).next().unwrap_or_default();
    let value = String::from_utf8_lossy(value);
    let names = value.split(',').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn kernel() -> (Scratch, Modules) {
        let scratch = Scratch::beside(&std::env::temp_dir().join("ocellus-modules")).unwrap();
        let folder = scratch.path.join("lib/modules/6.1");
        fs::create_dir_all(folder.join("kernel/drivers/media")).unwrap();
        for (path, text) in [
            (
                "kernel/drivers/media/uvc-video.ko",
                "x\0depends=videodev,mc\0y",
            ),
            (
                "kernel/drivers/media/videodev.ko",
                "x\0depends=mc\0name=videodev\0",
            ),
            ("kernel/drivers/mc.ko", "license=GPL\0depends=\0"),
            ("modules.builtin", "kernel/drivers/usb/usb-common.ko\n"),
        ] {
            fs::write(folder.join(path), text).unwrap();
        }
        let modules = Modules::of(&scratch.path).unwrap();
        (scratch, modules)
    }

    #[test]
    fn a_module_comes_after_what_it_depends_on_and_once() {
        let (_kept, modules) = kernel();
        let ordered = modules
            .with_dependencies(&["uvc_video", "mc", "usb-common"])
            .unwrap();
        let names: Vec<&str> = ordered.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["mc.ko", "videodev.ko", "uvc_video.ko"]);
    }

    #[test]
    fn a_module_that_the_kernel_lacks_is_named() {
        let (_kept, modules) = kernel();
        let error = modules.with_dependencies(&["vivid"]).unwrap_err();
        assert!(format!("{error:#}").contains("has no vivid"), "{error:#}");
    }
}
