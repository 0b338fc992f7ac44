//! Writes quantized networks: operators between Quantize and Dequantize, with weights from a fixed noise.

use super::*;

/// The scale of what is fed.
pub const IN_SCALE: f32 = 0.02;
/// The scale of what a quantized operator computes.
pub const OUT_SCALE: f32 = 0.043;
/// About the scale of weights.
const WEIGHT_SCALE: f32 = 0.0013;

/// `count` reals in about [-2.6, 2.6], the same ones each time.
pub fn reals(count: usize, seed: u32) -> Vec<f32> {
    noise(count, seed)
        .into_iter()
        .map(|byte| f32::from(byte) * 0.020_37)
        .collect()
}

/// Bytes without pattern.
pub fn noise(count: usize, seed: u32) -> Vec<i8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 11) as i8
    };
    (0..count).map(|_| next()).collect()
}

/// The integers of activations.
#[derive(Clone, Copy, Debug)]
pub struct Activations {
    pub signed: bool,
    pub zero_point: i32,
}

/// How weights are quantized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weights {
    PerChannel,
    PerTensor,
    /// u8 with zero point 128.
    Unsigned,
    ZeroPoint,
    F32,
}

/// How a bias is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bias {
    Absent,
    Int32,
    F32,
    OtherScale,
    TooLarge,
}

/// What stands between a sum and its Quantize.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clamp {
    Relu,
    Clip(Option<f32>, Option<f32>),
}

/// A square convolution.
#[derive(Clone, Debug)]
pub struct Conv {
    pub filters: usize,
    pub kernel: usize,
    pub stride: usize,
    pub pads: [usize; 4],
    pub groups: usize,
    pub dilation: usize,
    pub weights: Weights,
    pub bias: Bias,
    pub clamps: Vec<Clamp>,
}

impl Conv {
    pub fn new(filters: usize, kernel: usize) -> Conv {
        Conv {
            filters,
            kernel,
            stride: 1,
            pads: [0; 4],
            groups: 1,
            dilation: 1,
            weights: Weights::PerChannel,
            bias: Bias::Int32,
            clamps: Vec::new(),
        }
    }
}

/// A network in the making. The tensor that an operator called `a` computes is `a`, dequantized; `a_sum` before its
/// clamps and its Quantize.
#[derive(Clone)]
pub struct Net {
    graph: Graph,
    channels: Vec<(String, usize)>,
    pub activations: Activations,
    /// Names, and the step of each.
    pub outputs: Vec<(String, f32)>,
    entered: bool,
}

impl Net {
    /// Fed f32 of that many channels as `x`.
    pub fn new(channels: usize) -> Net {
        Net {
            graph: Graph::new().input(value("x", F32, &[-1, channels as i64, -1, -1])),
            channels: vec![("x".to_owned(), channels)],
            activations: Activations {
                signed: false,
                zero_point: 121,
            },
            outputs: Vec::new(),
            entered: false,
        }
    }

    /// Makes the quantized and dequantized `to` of `from`.
    fn conversion(mut self, from: &str, to: &str, scale: f32) -> Net {
        let (scale_name, zero_name, bytes) = (
            format!("{to}_scale"),
            format!("{to}_zero"),
            format!("{to}_q"),
        );
        let zero = match self.activations.signed {
            true => i8s(&zero_name, &[], &[self.activations.zero_point as i8]),
            false => u8s(&zero_name, &[], &[self.activations.zero_point as u8]),
        };
        self.graph = self
            .graph
            .constant(f32s(&scale_name, &[], &[scale]))
            .constant(zero)
            .node(node(
                "QuantizeLinear",
                &[from, &scale_name, &zero_name],
                &[&bytes],
            ))
            .node(node(
                "DequantizeLinear",
                &[&bytes, &scale_name, &zero_name],
                &[to],
            ));
        self
    }

    /// The dequantized input of an operator that reads `name`: the network's input is quantized first.
    fn entry(mut self, name: &str) -> (Net, String) {
        if name != "x" {
            return (self, name.to_owned());
        }
        if !self.entered {
            self = self.conversion("x", "xd", IN_SCALE);
            self.entered = true;
        }
        (self, "xd".to_owned())
    }

    fn scale(&self, name: &str) -> f32 {
        if name == "x" { IN_SCALE } else { OUT_SCALE }
    }

    fn channels(&self, name: &str) -> usize {
        let known = self.channels.iter().find(|(known, _)| known == name);
        known.unwrap_or_else(|| panic!("no tensor {name}")).1
    }

    fn define(mut self, name: &str, channels: usize) -> Net {
        self.channels.push((name.to_owned(), channels));
        self
    }

    fn clamped(mut self, name: &str, clamps: &[Clamp]) -> Net {
        let mut from = format!("{name}_sum");
        for (at, clamp) in clamps.iter().enumerate() {
            let to = format!("{name}_clamped{at}");
            let clamp_node = match clamp {
                Clamp::Relu => node("Relu", &[&from], &[&to]),
                Clamp::Clip(low, high) => {
                    let bound = |graph: Graph, bound: &Option<f32>, what: &str| match bound {
                        None => (graph, String::new()),
                        Some(bound) => {
                            let bound_name = format!("{to}_{what}");
                            (
                                graph.constant(f32s(&bound_name, &[], &[*bound])),
                                bound_name,
                            )
                        }
                    };
                    let (graph, low) = bound(self.graph, low, "low");
                    let (graph, high) = bound(graph, high, "high");
                    self.graph = graph;
                    node("Clip", &[&from, &low, &high], &[&to])
                }
            };
            self.graph = self.graph.node(clamp_node);
            from = to;
        }
        self.conversion(&from, name, OUT_SCALE)
    }

    pub fn conv(self, name: &str, from: &str, conv: &Conv) -> Net {
        let (in_scale, channels) = (self.scale(from), self.channels(from));
        let (mut net, from) = self.entry(from);
        let (filters, each) = (conv.filters, channels / conv.groups);
        let shape = [filters, each, conv.kernel, conv.kernel].map(|size| size as i64);
        let integers = noise(
            shape.iter().product::<i64>() as usize,
            name.bytes().map(u32::from).sum(),
        );
        let per_channel = matches!(conv.weights, Weights::PerChannel);
        let scales: Vec<f32> = match per_channel {
            true => (0..filters)
                .map(|filter| WEIGHT_SCALE * (1.0 + 0.13 * filter as f32))
                .collect(),
            false => vec![WEIGHT_SCALE],
        };
        let (w, q, s, z) = (
            format!("{name}_w"),
            format!("{name}_wq"),
            format!("{name}_ws"),
            format!("{name}_wz"),
        );
        let scale_shape: &[i64] = if per_channel { &[filters as i64] } else { &[] };
        let zeros = vec![
            if conv.weights == Weights::ZeroPoint {
                3i8
            } else {
                0
            };
            scales.len()
        ];
        let unsigned: Vec<u8> = integers.iter().map(|&byte| byte as u8 ^ 0x80).collect();
        let dequantize =
            node("DequantizeLinear", &[&q, &s, &z], &[&w]).message(5, int_attribute("axis", 0));
        net.graph = match conv.weights {
            Weights::F32 => {
                let reals: Vec<f32> = integers
                    .iter()
                    .map(|&byte| f32::from(byte) * WEIGHT_SCALE)
                    .collect();
                net.graph.constant(f32s(&w, &shape, &reals))
            }
            Weights::Unsigned => {
                let graph = net.graph.constant(u8s(&q, &shape, &unsigned)).constant(u8s(
                    &z,
                    scale_shape,
                    &[128],
                ));
                graph
                    .constant(f32s(&s, scale_shape, &scales))
                    .node(dequantize)
            }
            _ => {
                let graph = net.graph.constant(i8s(&q, &shape, &integers)).constant(i8s(
                    &z,
                    scale_shape,
                    &zeros,
                ));
                graph
                    .constant(f32s(&s, scale_shape, &scales))
                    .node(dequantize)
            }
        };
        let mut inputs = vec![from, w];
        let counts: Vec<i32> = noise(filters, 99)
            .into_iter()
            .map(|byte| i32::from(byte) * 70)
            .collect();
        let units: Vec<f32> = (0..filters)
            .map(|filter| in_scale * scales[filter % scales.len()])
            .collect();
        let (b, bq, bs) = (
            format!("{name}_b"),
            format!("{name}_bq"),
            format!("{name}_bs"),
        );
        let width = [filters as i64];
        let dequantized = |graph: Graph, counts: &[i32], scales: &[f32]| {
            let graph = graph
                .constant(i32s(&bq, &width, counts))
                .constant(f32s(&bs, &width, scales));
            graph.node(
                node("DequantizeLinear", &[&bq, &bs], &[&b]).message(5, int_attribute("axis", 0)),
            )
        };
        net.graph = match conv.bias {
            Bias::Absent => net.graph,
            Bias::Int32 => dequantized(net.graph, &counts, &units),
            Bias::OtherScale => dequantized(net.graph, &counts, &vec![1e-4; filters]),
            Bias::TooLarge => dequantized(net.graph, &vec![i32::MAX; filters], &units),
            Bias::F32 => {
                let reals: Vec<f32> = counts
                    .iter()
                    .zip(&units)
                    .map(|(&count, unit)| count as f32 * unit * 1.0003)
                    .collect();
                net.graph.constant(f32s(&b, &width, &reals))
            }
        };
        if conv.bias != Bias::Absent {
            inputs.push(b);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let sum = format!("{name}_sum");
        let pads = conv.pads.map(|pad| pad as i64);
        net.graph = net.graph.node(
            node("Conv", &inputs, &[&sum])
                .message(5, ints_attribute("kernel_shape", &[conv.kernel as i64; 2]))
                .message(5, ints_attribute("strides", &[conv.stride as i64; 2]))
                .message(5, ints_attribute("dilations", &[conv.dilation as i64; 2]))
                .message(5, ints_attribute("pads", &pads))
                .message(5, int_attribute("group", conv.groups as i64)),
        );
        net.clamped(name, &conv.clamps).define(name, filters)
    }

    pub fn add(self, name: &str, a: &str, b: &str, clamps: &[Clamp]) -> Net {
        let channels = self.channels(a);
        let (net, inputs) = self.entries(&[a, b]);
        net.join(name, "Add", &inputs, None)
            .clamped(name, clamps)
            .define(name, channels)
    }

    pub fn mul(self, name: &str, a: &str, b: &str, clamps: &[Clamp]) -> Net {
        let channels = self.channels(a);
        let (net, inputs) = self.entries(&[a, b]);
        net.join(name, "Mul", &inputs, None)
            .clamped(name, clamps)
            .define(name, channels)
    }

    /// Along the axis `axis`.
    pub fn concat(self, name: &str, from: &[&str], axis: i64, clamps: &[Clamp]) -> Net {
        let channels = from.iter().map(|name| self.channels(name)).sum();
        let (net, inputs) = self.entries(from);
        net.join(name, "Concat", &inputs, Some(int_attribute("axis", axis)))
            .clamped(name, clamps)
            .define(name, channels)
    }

    fn entries(self, names: &[&str]) -> (Net, Vec<String>) {
        let (mut net, mut inputs) = (self, Vec::new());
        for name in names {
            let (entered, input) = net.entry(name);
            net = entered;
            inputs.push(input);
        }
        (net, inputs)
    }

    fn join(mut self, name: &str, op: &str, inputs: &[String], attribute: Option<Message>) -> Net {
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let mut joined = node(op, &inputs, &[&format!("{name}_sum")]);
        if let Some(attribute) = attribute {
            joined = joined.message(5, attribute);
        }
        self.graph = self.graph.node(joined);
        self
    }

    pub fn pool(self, name: &str, from: &str, quantized: bool) -> Net {
        let channels = self.channels(from);
        let (mut net, from) = self.entry(from);
        let sum = if quantized {
            format!("{name}_sum")
        } else {
            name.to_owned()
        };
        net.graph = net.graph.node(node("GlobalAveragePool", &[&from], &[&sum]));
        let net = if quantized {
            net.clamped(name, &[])
        } else {
            net
        };
        net.define(name, channels)
    }

    /// 3 x 3 at stride 2.
    pub fn max_pool(self, name: &str, from: &str, clamps: &[Clamp]) -> Net {
        let channels = self.channels(from);
        let (mut net, from) = self.entry(from);
        net.graph = net.graph.node(
            node("MaxPool", &[&from], &[&format!("{name}_sum")])
                .message(5, ints_attribute("kernel_shape", &[3, 3]))
                .message(5, ints_attribute("strides", &[2, 2]))
                .message(5, ints_attribute("pads", &[1, 1, 1, 1])),
        );
        net.clamped(name, clamps).define(name, channels)
    }

    /// An operator of one element.
    pub fn unary(self, name: &str, op: &str, from: &str) -> Net {
        let channels = self.channels(from);
        let (mut net, from) = self.entry(from);
        net.graph = net
            .graph
            .node(node(op, &[&from], &[&format!("{name}_sum")]));
        net.clamped(name, &[]).define(name, channels)
    }

    pub fn flatten(mut self, name: &str, from: &str) -> Net {
        let channels = self.channels(from);
        self.graph = self.graph.node(node("Flatten", &[from], &[name]));
        self.define(name, channels)
    }

    /// A 1 x 1 convolution with weights in f32; its result is not quantized.
    pub fn real_conv(mut self, name: &str, from: &str, channels: usize, filters: usize) -> Net {
        let w = format!("{name}_w");
        let weights: Vec<f32> = noise(channels * filters, 5)
            .into_iter()
            .map(|byte| f32::from(byte) * 0.004)
            .collect();
        let shape = [filters as i64, channels as i64, 1, 1];
        self.graph = self.graph.constant(f32s(&w, &shape, &weights)).node(node(
            "Conv",
            &[from, &w],
            &[name],
        ));
        self.define(name, filters)
    }

    /// Quantizes and dequantizes `from`.
    pub fn quantize(self, name: &str, from: &str) -> Net {
        let channels = self.channels(from);
        self.conversion(from, name, OUT_SCALE)
            .define(name, channels)
    }

    /// Asks for `name`, which counts in steps of [`OUT_SCALE`].
    pub fn output(self, name: &str) -> Net {
        self.output_of(name, OUT_SCALE)
    }

    pub fn output_of(mut self, name: &str, step: f32) -> Net {
        self.outputs.push((name.to_owned(), step));
        self
    }

    pub fn model(self) -> Vec<u8> {
        let outputs = self.outputs.clone();
        let declare = |graph: Graph, (name, _): (String, f32)| graph.output(value(&name, F32, &[]));
        outputs.into_iter().fold(self.graph, declare).model()
    }
}
