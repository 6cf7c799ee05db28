//! The sandbox: a simulated Keystone and Coriolis of both generations, served over real HTTP on loopback.
