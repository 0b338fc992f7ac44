//! One encoder alone: another file's, or the bundle's without its INT8 regions. Pictures are prepared as the bundle says.

use super::{Arguments, Conditions, Measured, Scene, marks, ops, picture, stage, warm_up};
use crate::{Usage, loading::isa};
use anyhow::{Context, bail};
use ocellus::{
    Bundle,
    encoder::{CheckedModel, Dim, Element, Encoder, EncoderError, Input, Limits, Plan, Port},
    sys,
};
use serde_json::{Value, json};
use std::{hint::black_box, sync::Arc, time::Instant};

/// An encoder, what it is fed and what it is asked for.
struct Alone {
    file: String,
    bytes: Vec<u8>,
    encoder: Encoder,
    regions: bool,
    input: String,
    outputs: Vec<String>,
    /// Around the threads' parts.
    marks: Arc<sys::Marks>,
    /// What it is planned for at a load.
    resolutions: Vec<u32>,
}

/// Measures it.
pub fn run(
    arguments: &Arguments,
    bundle: &Bundle,
    conditions: &mut Conditions,
) -> anyhow::Result<Measured> {
    let start = Instant::now();
    let (file, bytes) = match &arguments.model {
        Some(path) => {
            let name = path.display().to_string();
            (name.clone(), std::fs::read(path).context(name)?)
        }
        None => {
            let image = &bundle.manifest().image;
            let asked = |&side: &u32| Some(side) == arguments.resolution;
            let index = image.resolutions.iter().position(asked);
            let file = image.file.at(index.unwrap_or(image.resolutions.len() - 1));
            (file.to_owned(), bundle.file(file)?.to_vec())
        }
    };
    let model = CheckedModel::scan(&file, &bytes, &Limits::default())?;
    let [threads] = arguments.counts()[..] else {
        let message = "--threads: expected one number with an encoder alone".into();
        return Err(Usage(message).into());
    };
    let marks = Arc::default();
    let pool = Arc::new(arguments.pool(threads, &marks)?);
    let mut encoder = Encoder::new(model, isa()?)?.with_pool(pool);
    if arguments.without_regions {
        encoder = encoder.without_regions();
    }
    let port = image_port(encoder.model().inputs()).with_context(|| file.clone())?;
    let resolutions = match fixed_side(port) {
        Some(side) => vec![side],
        None => bundle.manifest().image.resolutions.clone(),
    };
    let names = |ports: &[Port]| ports.iter().map(|port| port.name.clone()).collect();
    let alone = Alone {
        input: port.name.clone(),
        outputs: names(encoder.model().outputs()),
        file,
        bytes,
        encoder,
        regions: !arguments.without_regions,
        marks,
        resolutions,
    };
    let load_us = start.elapsed().as_micros() as u64;

    let scene = Scene::new(&picture(arguments, bundle)?, bundle.manifest())?;
    let measured = match arguments.resolution {
        Some(side) => vec![side],
        None => alone.resolutions.clone(),
    };
    let rows = measured
        .into_iter()
        .map(|side| {
            let mut row = match arguments.markers {
                true => alone.mark(side, &scene)?,
                false => alone.measure(side, &scene, arguments, conditions)?,
            };
            row["threads"] = threads.into();
            Ok(row)
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Measured {
        isa: alone.encoder.isa(),
        model: alone.file,
        load_us,
        threads: vec![threads],
        rows,
        policies: Vec::new(),
        policy: Value::Null,
    })
}

/// The one input, if it takes a picture.
fn image_port(inputs: &[Port]) -> anyhow::Result<&Port> {
    let [port] = inputs else {
        bail!("expected one input, got {}", inputs.len());
    };
    let fits = |dim: &Dim, size: usize| [Dim::Any, Dim::Fixed(size)].contains(dim);
    let shape = match port.dims.as_deref() {
        None => true,
        Some([batch, channels, _, _]) => fits(batch, 1) && fits(channels, 3),
        Some(_) => false,
    };
    if port.element != Element::F32 || !shape {
        bail!(
            "input {}: expected f32 [1, 3, n, n], got {} {:?}",
            port.name,
            port.element,
            port.dims
        );
    }
    Ok(port)
}

/// The height of the pictures that the input takes, where it is one.
fn fixed_side(port: &Port) -> Option<u32> {
    match port.dims.as_deref()?.get(2)? {
        Dim::Fixed(side) => u32::try_from(*side).ok(),
        Dim::Any => None,
    }
}

impl Alone {
    fn plan(&self, side: u32) -> Result<Plan, EncoderError> {
        let dims = [1, 3, side as usize, side as usize].map(Dim::Fixed);
        let outputs: Vec<&str> = self.outputs.iter().map(String::as_str).collect();
        self.encoder.plan(&self.input, &dims, &outputs)
    }

    /// One resolution: preparation, warm-up, then the encoder's p50, p95 and p99 in microseconds.
    fn measure(
        &self,
        side: u32,
        scene: &Scene<'_>,
        arguments: &Arguments,
        conditions: &mut Conditions,
    ) -> anyhow::Result<Value> {
        let start = Instant::now();
        let plan = self.plan(side)?;
        let prepare_us = start.elapsed().as_micros() as u64;
        let pixels = scene.normalized(&scene.rgb(side)?, side);
        let run = || -> Result<u64, EncoderError> {
            let start = Instant::now();
            black_box(plan.run(Input::F32(&pixels))?);
            Ok(start.elapsed().as_micros() as u64)
        };
        let (warm_up_runs, steady) = warm_up(arguments.iterations, run)?;
        let (runs, energy) = conditions.record(arguments.iterations, || {
            (0..arguments.iterations)
                .map(|_| run())
                .collect::<Result<Vec<_>, EncoderError>>()
        });
        let runs = runs?;
        let totals = runs.clone();
        let stages = json!({"encode": stage(runs)});
        let mut row = json!({
            "resolution": side,
            "prepare_us": prepare_us,
            "warm_up_runs": warm_up_runs,
            "steady": steady,
            "state": conditions.now(),
            "stages": stages,
            "energy": energy,
            "totals_us": totals,
        });
        if arguments.ops {
            row["steps"] = ops::measure(&plan, Input::F32(&pixels), arguments.iterations)?;
        }
        Ok(row)
    }

    /// One resolution, marked: each step, the job of a frame in memory without heads, the encoder from bytes, the threads'
    /// shares, and the encoder from f32. A counter that keeps one region has the last.
    fn mark(&self, side: u32, scene: &Scene<'_>) -> anyhow::Result<Value> {
        let plan = self.plan(side)?;
        let (frame, rgb) = (scene.frame()?, scene.rgb(side)?);
        let pixels = scene.normalized(&rgb, side);
        let mut regions = marks::Regions::default();
        let steps = regions.steps(&plan, Input::F32(&pixels))?;
        let outputs: Vec<&str> = self.outputs.iter().map(String::as_str).collect();
        regions.load(&marks::Loading {
            file: &self.file,
            bytes: &self.bytes,
            isa: self.encoder.isa(),
            regions: self.regions,
            input: &self.input,
            outputs: &outputs,
            resolutions: &self.resolutions,
        })?;
        regions.mark("total", || {
            let seen = scene.look(&frame);
            black_box(seen.entropy_bits());
            plan.run(scene.pixels(&seen.resize(side as usize)))
        })?;
        regions.mark("from_pixels", || plan.run(scene.pixels(&rgb)))?;
        let input = Input::F32(&pixels);
        regions.mark("layers", || plan.run_observed(input, &mut marks::Apart))?;
        regions.shares(&self.marks, || plan.run(input))?;
        regions.mark("encode", || plan.run(input))?;
        Ok(regions.row(side, &frame, steps))
    }
}
