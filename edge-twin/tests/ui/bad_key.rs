use edge_twin::typed::TwinProperties;

#[derive(Clone, PartialEq, TwinProperties)]
struct Fan {
    #[twin(name = "fan.rpm")]
    rpm: u32,
}

fn main() {}
