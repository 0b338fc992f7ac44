//! Writes small ONNX files: a protobuf encoder of just the messages that the tests need.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod faults;
pub mod golden;
pub mod plans;
pub mod quantized;

/// A protobuf message in the making.
#[derive(Clone, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn new() -> Message {
        Message::default()
    }

    fn raw_varint(mut self, mut value: u64) -> Message {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    pub fn int(self, field: u64, value: i64) -> Message {
        self.raw_varint(field << 3).raw_varint(value as u64)
    }

    pub fn float(self, field: u64, value: f32) -> Message {
        let mut message = self.raw_varint(field << 3 | 5);
        message.0.extend(value.to_le_bytes());
        message
    }

    pub fn bytes(self, field: u64, bytes: &[u8]) -> Message {
        let mut message = self
            .raw_varint(field << 3 | 2)
            .raw_varint(bytes.len() as u64);
        message.0.extend(bytes);
        message
    }

    pub fn text(self, field: u64, text: &str) -> Message {
        self.bytes(field, text.as_bytes())
    }

    pub fn message(self, field: u64, message: Message) -> Message {
        self.bytes(field, &message.0)
    }
}

pub const F32: i64 = 1;
pub const U8: i64 = 2;
pub const I8: i64 = 3;
pub const I32: i64 = 6;
pub const I64: i64 = 7;

/// A TensorProto with `raw_data`.
pub fn raw(name: &str, data_type: i64, dims: &[i64], data: &[u8]) -> Message {
    header(name, data_type, dims).bytes(9, data)
}

/// A TensorProto without data.
pub fn header(name: &str, data_type: i64, dims: &[i64]) -> Message {
    let tensor = dims
        .iter()
        .fold(Message::new(), |tensor, dim| tensor.int(1, *dim));
    tensor.int(2, data_type).text(8, name)
}

pub fn f32s(name: &str, dims: &[i64], data: &[f32]) -> Message {
    let bytes: Vec<u8> = data.iter().flat_map(|value| value.to_le_bytes()).collect();
    raw(name, F32, dims, &bytes)
}

pub fn i64s(name: &str, dims: &[i64], data: &[i64]) -> Message {
    let bytes: Vec<u8> = data.iter().flat_map(|value| value.to_le_bytes()).collect();
    raw(name, I64, dims, &bytes)
}

pub fn i8s(name: &str, dims: &[i64], data: &[i8]) -> Message {
    let bytes: Vec<u8> = data.iter().map(|value| *value as u8).collect();
    raw(name, I8, dims, &bytes)
}

pub fn u8s(name: &str, dims: &[i64], data: &[u8]) -> Message {
    raw(name, U8, dims, data)
}

pub fn i32s(name: &str, dims: &[i64], data: &[i32]) -> Message {
    let bytes: Vec<u8> = data.iter().flat_map(|value| value.to_le_bytes()).collect();
    raw(name, I32, dims, &bytes)
}

/// A NodeProto; its name is its first output's with a slash before it.
pub fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> Message {
    let node = inputs
        .iter()
        .fold(Message::new(), |node, input| node.text(1, input));
    let node = outputs
        .iter()
        .fold(node, |node, output| node.text(2, output));
    node.text(
        3,
        &format!("/{}", outputs.first().copied().unwrap_or("nothing")),
    )
    .text(4, op)
}

pub fn int_attribute(name: &str, value: i64) -> Message {
    Message::new().text(1, name).int(3, value).int(20, 2)
}

pub fn ints_attribute(name: &str, values: &[i64]) -> Message {
    let attribute = Message::new().text(1, name).int(20, 7);
    values
        .iter()
        .fold(attribute, |attribute, value| attribute.int(8, *value))
}

pub fn graph_attribute(name: &str, graph: Message) -> Message {
    Message::new().text(1, name).message(6, graph).int(20, 5)
}

/// A ValueInfoProto; -1 stands for a symbol.
pub fn value(name: &str, data_type: i64, dims: &[i64]) -> Message {
    let shape = dims.iter().fold(Message::new(), |shape, dim| {
        let dim = match dim {
            -1 => Message::new().text(2, "N"),
            size => Message::new().int(1, *size),
        };
        shape.message(1, dim)
    });
    let tensor = Message::new().int(1, data_type).message(2, shape);
    Message::new()
        .text(1, name)
        .message(2, Message::new().message(1, tensor))
}

/// A GraphProto in the making.
#[derive(Clone, Default)]
pub struct Graph {
    pub nodes: Vec<Message>,
    pub initializers: Vec<Message>,
    pub inputs: Vec<Message>,
    pub outputs: Vec<Message>,
}

impl Graph {
    pub fn new() -> Graph {
        Graph::default()
    }

    pub fn node(mut self, node: Message) -> Graph {
        self.nodes.push(node);
        self
    }

    pub fn constant(mut self, tensor: Message) -> Graph {
        self.initializers.push(tensor);
        self
    }

    pub fn input(mut self, value: Message) -> Graph {
        self.inputs.push(value);
        self
    }

    pub fn output(mut self, value: Message) -> Graph {
        self.outputs.push(value);
        self
    }

    pub fn message(self) -> Message {
        let fields = [
            (1, self.nodes),
            (5, self.initializers),
            (11, self.inputs),
            (12, self.outputs),
        ];
        let mut graph = Message::new();
        for (field, messages) in fields {
            for message in messages {
                graph = graph.message(field, message);
            }
        }
        graph.text(2, "test")
    }

    /// The bytes of a model of operator set 17.
    pub fn model(self) -> Vec<u8> {
        model(self.message(), 17)
    }
}

pub fn model(graph: Message, opset: i64) -> Vec<u8> {
    let import = Message::new().text(1, "").int(2, opset);
    Message::new()
        .int(1, 8)
        .text(2, "tests")
        .message(7, graph)
        .message(8, import)
        .0
}

/// `y = relu(x)`, from `x` of shape [1, 4].
pub fn relu() -> Graph {
    Graph::new()
        .input(value("x", F32, &[1, 4]))
        .node(node("Relu", &["x"], &["y"]))
        .output(value("y", F32, &[1, 4]))
}

/// A quantized 1x1 convolution from 2 to 3 channels, `scale` being the scale of its weights, per channel.
///
/// `x` [N, 2, h, w] -> Q -> DQ -> Conv -> Q -> DQ -> `y`
pub fn quantized_convolution(scale: [f32; 3]) -> Graph {
    Graph::new()
        .input(value("x", F32, &[-1, 2, -1, -1]))
        .constant(f32s("x_scale", &[], &[0.5]))
        .constant(u8s("x_zero", &[], &[128]))
        .constant(i8s("w_int", &[3, 2, 1, 1], &[1, 2, -3, 4, 127, -128]))
        .constant(f32s("w_scale", &[3], &scale))
        .constant(i8s("w_zero", &[3], &[0, 0, 0]))
        .constant(i32s("b_int", &[3], &[1, -2, 3]))
        .constant(f32s(
            "b_scale",
            &[3],
            &scale.map(|scale| (scale * 0.5).abs().clamp(1e-30, 1e30)),
        ))
        .constant(f32s("y_scale", &[], &[0.25]))
        .constant(u8s("y_zero", &[], &[100]))
        .node(node("QuantizeLinear", &["x", "x_scale", "x_zero"], &["xq"]))
        .node(node(
            "DequantizeLinear",
            &["xq", "x_scale", "x_zero"],
            &["xd"],
        ))
        .node(
            node("DequantizeLinear", &["w_int", "w_scale", "w_zero"], &["w"])
                .message(5, int_attribute("axis", 0)),
        )
        .node(
            node("DequantizeLinear", &["b_int", "b_scale"], &["b"])
                .message(5, int_attribute("axis", 0)),
        )
        .node(node("Conv", &["xd", "w", "b"], &["c"]))
        .node(node("QuantizeLinear", &["c", "y_scale", "y_zero"], &["cq"]))
        .node(node(
            "DequantizeLinear",
            &["cq", "y_scale", "y_zero"],
            &["y"],
        ))
        .output(value("y", F32, &[-1, 3, -1, -1]))
}
