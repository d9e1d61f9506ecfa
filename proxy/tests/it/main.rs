//! The commands, as an operator types them. What needs servers is tested on the testbed of `chaos`.

mod commands;
