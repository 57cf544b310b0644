// The field table of every protobuf message Weft speaks, as text; `lib/protobuf/schema` reads it. Made by `npm run generate`.
export { enums, messages } from './generated/table.js';
