use edge_twin::typed::TwinProperties;

#[derive(Clone, PartialEq, TwinProperties)]
struct Fan {
    rpm: u32,
    #[twin(name = "rpm")]
    turns: u32,
}

fn main() {}
