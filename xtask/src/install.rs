//! `cargo xtask install`: the C library, its header, and what build systems look for, below a prefix.
//!
//! ```text
//! PREFIX/include/ocellus.h
//! PREFIX/lib/libocellus.so -> libocellus.so.1 -> libocellus.so.1.x.y
//! PREFIX/lib/libocellus.a
//! PREFIX/lib/pkgconfig/ocellus.pc
//! PREFIX/lib/cmake/ocellus/ocellus-config.cmake, ocellus-config-version.cmake
//! ```
//!
//! Both descriptions find the prefix from where they lie, so that it may be moved to a board's root file system.
//!
//! Limits: the ARM library asks for this machine's generation of the C library; a board with an older one refuses it.

use crate::build::Machine;
use crate::header::{CRATE, HEADER};
use crate::library::{self, Names, STATIC_LINKING, SYSTEM_LIBRARIES};
use crate::repo;
use crate::setup::{self, For};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Install the C library: shared, static, header, pkg-config and CMake
#[derive(clap::Args)]
pub struct Args {
    /// Where to; lib and include are made in it
    #[arg(long)]
    prefix: PathBuf,
    /// For which machine
    #[arg(long, value_enum, default_value = "host")]
    target: Machine,
    /// Cargo profile: `dev`, `release`, or `dist`, which goes to boards
    #[arg(long, default_value = "release")]
    profile: String,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<()> {
    let arm = args.target == Machine::Aarch64;
    let archive = match args.target {
        Machine::Host => {
            setup::ensure(For::HostBuild)?;
            library::build_host(&args.profile)?
        }
        Machine::Aarch64 => {
            setup::ensure(For::ArmBuild)?;
            library::build_arm(&args.profile)?
        }
    };
    install(&archive, &args.prefix, library::compiler(arm))?;
    println!("{}", args.prefix.display());
    Ok(())
}

/// Installs a static library that is built, and what is made of it.
pub fn install(archive: &Path, prefix: &Path, compiler: &str) -> Result<()> {
    let root = repo::root()?;
    let (lib, include) = (prefix.join("lib"), prefix.join("include"));
    let (pkgconfig, cmake) = (lib.join("pkgconfig"), lib.join("cmake/ocellus"));
    for folder in [&include, &pkgconfig, &cmake] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::copy(root.join(CRATE).join(HEADER), include.join("ocellus.h"))?;
    fs::copy(archive, lib.join("libocellus.a")).with_context(|| archive.display().to_string())?;
    let names = library::link(&root, archive, &lib, compiler)?;
    let version = library::package_version(&root)?;
    fs::write(pkgconfig.join("ocellus.pc"), pkg_config(&version))?;
    fs::write(cmake.join("ocellus-config.cmake"), cmake_config(&names))?;
    let text = cmake_version(&version);
    fs::write(cmake.join("ocellus-config-version.cmake"), text)?;
    Ok(())
}

fn pkg_config(version: &str) -> String {
    format!(
        "prefix=${{pcfiledir}}/../..\n\
         libdir=${{prefix}}/lib\n\
         includedir=${{prefix}}/include\n\
         \n\
         Name: ocellus\n\
         Description: Offline vision-language runtime for ARM cameras\n\
         Version: {version}\n\
         Cflags: -I${{includedir}}\n\
         Libs: -L${{libdir}} -locellus\n\
         Libs.private: {} {STATIC_LINKING}\n",
        SYSTEM_LIBRARIES.join(" ")
    )
}

fn cmake_config(names: &Names) -> String {
    let system = SYSTEM_LIBRARIES.map(|library| library.trim_start_matches("-l"));
    format!(
        "# ocellus::ocellus is the shared library, ocellus::ocellus_static the static one.\n\
         get_filename_component(_ocellus_prefix \"${{CMAKE_CURRENT_LIST_DIR}}/../../..\" ABSOLUTE)\n\
         if(NOT TARGET ocellus::ocellus)\n\
         \x20 add_library(ocellus::ocellus SHARED IMPORTED)\n\
         \x20 set_target_properties(ocellus::ocellus PROPERTIES\n\
         \x20   IMPORTED_LOCATION \"${{_ocellus_prefix}}/lib/{file}\"\n\
         \x20   IMPORTED_SONAME \"{soname}\"\n\
         \x20   INTERFACE_INCLUDE_DIRECTORIES \"${{_ocellus_prefix}}/include\")\n\
         \x20 add_library(ocellus::ocellus_static STATIC IMPORTED)\n\
         \x20 set_target_properties(ocellus::ocellus_static PROPERTIES\n\
         \x20   IMPORTED_LOCATION \"${{_ocellus_prefix}}/lib/libocellus.a\"\n\
         \x20   INTERFACE_LINK_LIBRARIES \"{system}\"\n\
         \x20   INTERFACE_LINK_OPTIONS \"{STATIC_LINKING}\"\n\
         \x20   INTERFACE_INCLUDE_DIRECTORIES \"${{_ocellus_prefix}}/include\")\n\
         endif()\n\
         unset(_ocellus_prefix)\n",
        file = names.file,
        soname = names.soname,
        system = system.join(";"),
    )
}

/// Before 1.0 another minor version is another library; from 1.0 on, another major one.
fn cmake_version(version: &str) -> String {
    let mut numbers = version.split('.');
    let major = numbers.next().unwrap_or_default();
    let until = match major {
        "0" => format!("0.{}", numbers.next().unwrap_or_default()),
        major => major.to_owned(),
    };
    format!(
        "set(PACKAGE_VERSION \"{version}\")\n\
         if(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION\n\
         \x20   OR NOT \"${{PACKAGE_FIND_VERSION}}.\" MATCHES \"^{}[.]\")\n\
         \x20 set(PACKAGE_VERSION_COMPATIBLE FALSE)\n\
         else()\n\
         \x20 set(PACKAGE_VERSION_COMPATIBLE TRUE)\n\
         \x20 if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)\n\
         \x20   set(PACKAGE_VERSION_EXACT TRUE)\n\
         \x20 endif()\n\
         endif()\n",
        until.replace('.', "[.]")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_name_what_is_installed() {
        let header = "#define OCELLUS_ABI_MAJOR 1\n#define OCELLUS_ABI_MINOR 0\n";
        let names = Names::new(header, "0.1.0").unwrap();
        let cmake = cmake_config(&names);
        assert!(cmake.contains("/lib/libocellus.so.1.0.0\"") && cmake.contains("gcc_s;m;c"));
        assert!(pkg_config("0.1.0").contains("\nVersion: 0.1.0\n"));
        assert!(cmake_version("0.1.0").contains("^0[.]1[.]"));
        assert!(cmake_version("2.1.0").contains("^2[.]"));
    }
}
