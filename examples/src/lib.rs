//! Examples of gateways; see the folders beside this one.
