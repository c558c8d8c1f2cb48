// One call to a node's reeve by Node's own gRPC, with the files of `radix keys issue`.
//
//   node node_client.js PROTOS ADDRESS METHOD REQUEST CA [KEY CERTIFICATE]
//
// REQUEST is JSON. Prints a line of JSON for each message, then one with the status. NODE_PATH says
// where the packages are.

'use strict';

const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const CALL_SECONDS = 20;

const [protos, address, method, request, ...files] = process.argv.slice(2);
const [ca, key, certificate] = files.map((file) => fs.readFileSync(file));

const definition = protoLoader.loadSync(
    'radix/reeve/v1/reeve.proto', {includeDirs: [protos], longs: String, enums: String});
const {ReeveService} = grpc.loadPackageDefinition(definition).radix.reeve.v1;

// A certificate of Radix names no host: it is for `radix`, and pinned.
const reeve = new ReeveService(address, grpc.credentials.createSsl(ca, key, certificate), {
  'grpc.ssl_target_name_override': 'radix',
});

const print = (value) => process.stdout.write(JSON.stringify(value) + '\n');
const printStatus = ({code, details}) => {
  print({status: grpc.status[code], details});
  reeve.close();
};

const deadline = Date.now() + 1000 * CALL_SECONDS;
if (ReeveService.service[method].responseStream) {
  const stream = reeve[method](JSON.parse(request), {deadline});
  stream.on('data', print);
  stream.on('error', () => {});  // has the same status, which is said below
  stream.on('status', printStatus);
} else {
  let response;
  const call = reeve[method](JSON.parse(request), {deadline}, (error, value) => {
    response = value;
  });
  call.on('status', (status) => {
    if (response) print(response);
    printStatus(status);
  });
}
