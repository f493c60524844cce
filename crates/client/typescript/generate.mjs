// Builds the client into a folder: a copy of its sources, the interface beside them, its types generated from it, and all of that compiled.
//
//     node generate.mjs <folder>        build here by default
//
// Uses the packages of `node_modules` beside the folder or above it, and writes nothing elsewhere.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const here = import.meta.dirname;
const out = path.resolve(process.argv[2] ?? path.join(here, "build"));
const proto = path.resolve(here, "../../../proto");
const packages = createRequire(path.join(out, "package.json"));

mkdirSync(out, { recursive: true });
for (const part of ["src", "tests", "example.ts", "package.json", "tsconfig.json"]) {
  cpSync(path.join(here, part), path.join(out, part), { recursive: true });
}
cpSync(proto, path.join(out, "proto"), { recursive: true });
const loader = path.dirname(packages.resolve("@grpc/proto-loader/package.json"));
run(path.join(loader, "build/bin/proto-loader-gen-types.js"), [
  "--keepCase",
  "--longs=String",
  "--enums=String",
  "--defaults",
  "--oneofs",
  "--grpcLib=@grpc/grpc-js",
  "--importFileExtension=.js",
  `--includeDirs=${path.join(out, "proto")}`,
  `--outDir=${path.join(out, "src/generated")}`,
  "leasehold/v1/lease.proto",
]);
run(packages.resolve("typescript/bin/tsc"), ["--project", path.join(out, "tsconfig.json")]);

function run(program, options) {
  const { status } = spawnSync(process.execPath, [program, ...options], { stdio: ["ignore", 2, 2] });
  if (status !== 0) {
    console.error(`${path.basename(program)} failed`);
    process.exit(1);
  }
}
