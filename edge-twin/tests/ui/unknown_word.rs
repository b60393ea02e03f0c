use edge_twin::typed::TwinProperties;

#[derive(Clone, PartialEq, TwinProperties)]
struct Fan {
    #[twin(rename = "rpm")]
    turns: u32,
}

fn main() {}
