import path from 'path';
import { type Configuration, DefinePlugin } from 'webpack';

/** The page on which pkg/editors_test.go looks at the editors in a browser: with Grafana's library, and without a Grafana. It is part of no plugin. */
const config: Configuration = {
  mode: 'development',
  devtool: false,
  entry: path.join(__dirname, 'src', 'stage', 'stage.tsx'),
  output: { filename: 'stage.js', publicPath: '/' },
  resolve: { extensions: ['.ts', '.tsx', '.mjs', '.js'] },
  cache: { type: 'filesystem', name: 'stage' },
  module: {
    rules: [
      {
        test: /\.tsx?$/,
        exclude: /node_modules/,
        loader: 'swc-loader',
        options: {
          jsc: {
            parser: { syntax: 'typescript', tsx: true },
            target: 'es2022',
            transform: { react: { runtime: 'automatic' } },
          },
        },
      },
      { test: /\.m?js$/, resolve: { fullySpecified: false } },
      { test: /\.css$/, use: ['style-loader', 'css-loader'] },
      { test: /\.(svg|ttf)$/, type: 'asset/resource' },
    ],
  },
  plugins: [new DefinePlugin({ 'process.env.NODE_ENV': '"development"' })],
  performance: false,
};

export default config;
