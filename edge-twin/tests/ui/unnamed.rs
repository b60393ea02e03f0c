use edge_twin::typed::TwinProperties;

#[derive(Clone, PartialEq, TwinProperties)]
struct Fan(u32);

fn main() {}
